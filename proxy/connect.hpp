// SPDX-License-Identifier: PostgreSQL
//
// Sockets as the operator wants them, for both legs.
#pragma once

#include "config/settings.hpp"

#include <boost/asio/ip/tcp.hpp>

namespace rolegate::proxy
{

// TCP_NODELAY, keepalive and TCP_USER_TIMEOUT: a peer that vanished without a word is noticed in
// half a minute instead of two hours.
void tune(boost::asio::ip::tcp::socket& s, const config::listener_settings& settings);

// Opens `s` for this numeric address. The connect itself is the caller's to await and to bound.
[[nodiscard]] boost::system::error_code open_for(
    boost::asio::ip::tcp::socket& s,
    const std::string& address,
    std::uint16_t port,
    const config::listener_settings& settings,
    boost::asio::ip::tcp::endpoint& to
);

} // namespace rolegate::proxy
