// SPDX-License-Identifier: PostgreSQL
//
// A CancelRequest on its way to several servers: only the one that gave out the key acts on it.
#pragma once

#include "config/settings.hpp"
#include "proxy/event_loop.hpp"
#include "proxy/pgwire/first_packet.hpp"
#include "proxy/server_address.hpp"

#include <boost/asio/awaitable.hpp>

#include <vector>

namespace rolegate::proxy
{

// Offers `packet` to all servers at once and returns when each has closed its connection (it has
// then acted on the request) or after two seconds.
[[nodiscard]] boost::asio::awaitable<void> offer_cancel(
    event_loop& loop,
    const std::vector<server_address>& servers,
    pgwire::bytes packet,
    const config::listener_settings& settings
);

} // namespace rolegate::proxy
