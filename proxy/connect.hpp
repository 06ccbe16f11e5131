// SPDX-License-Identifier: PostgreSQL
//
// Sockets as the operator wants them, for both legs.
#pragma once

#include "config/listener_settings.hpp"
#include "proxy/server_address.hpp"
#include "proxy/transport.hpp"

namespace rolegate::proxy
{

// TCP_NODELAY, keepalive and TCP_USER_TIMEOUT: a peer that vanished without a word is noticed in
// half a minute instead of two hours. A unix socket needs none of it. What is accepted inherits all
// of it from its listening socket.
void tune(int fd, const config::listener_settings& settings) noexcept;

// The caller bounds the time, by closing `t`. An address that begins with a slash is a unix
// socket's directory, the port is part of its name.
[[nodiscard]] boost::asio::awaitable<boost::system::error_code>
connect(transport& t, server_address server, const config::listener_settings& settings);

// Where a TCP connection has come to.
[[nodiscard]] server_address place_of(const transport& t);

} // namespace rolegate::proxy
