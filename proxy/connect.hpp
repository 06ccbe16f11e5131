// SPDX-License-Identifier: PostgreSQL
//
// Sockets as the operator wants them, for both legs.
#pragma once

#include "config/listener_settings.hpp"
#include "proxy/server_address.hpp"

#include <boost/asio/generic/stream_protocol.hpp>

namespace rolegate::proxy
{

using stream_socket = boost::asio::generic::stream_protocol::socket;
using endpoint = boost::asio::generic::stream_protocol::endpoint;

// TCP_NODELAY, keepalive and TCP_USER_TIMEOUT: a peer that vanished without a word is noticed in
// half a minute instead of two hours. A unix socket needs none of it.
void tune(stream_socket& s, const config::listener_settings& settings);

// Opens `s` for this address; the connect itself is the caller's to await and to bound. An address
// that begins with a slash is a unix socket's directory, the port is part of its name.
[[nodiscard]] boost::system::error_code open_for(
    stream_socket& s,
    const server_address& server,
    const config::listener_settings& settings,
    endpoint& to
);

} // namespace rolegate::proxy
