// SPDX-License-Identifier: PostgreSQL
//
// What all workers know and share of a listener, and of the process. Outlives them.
#pragma once

#include "config/settings.hpp"
#include "proxy/address_range.hpp"
#include "proxy/cancel_keys.hpp"
#include "proxy/handshake_count.hpp"
#include "proxy/hold.hpp"
#include "proxy/pgwire/first_packet.hpp"
#include "proxy/selection.hpp"
#include "proxy/traffic_count.hpp"

#include <atomic>
#include <vector>

namespace rolegate::proxy
{

struct process_state
{
    cancel_keys keys;
    std::atomic<std::size_t> clients{0};                // accepted and not gone yet
    std::size_t maxconn = static_cast<std::size_t>(-1); // as many at most
};

struct listener_state
{
    // `place`: its index among the listeners of its cluster.
    listener_state(
        config::listener_settings l,
        std::size_t place,
        config::cluster_settings c,
        process_state& p,
        hold::wake_function wake
    );

    // Clients from there say in a PROXY header for whom they speak.
    [[nodiscard]] bool demands_proxy_header(const client_address& from) const noexcept
    {
        return any_contains(proxies_, from);
    }

    [[nodiscard]] bool allows(const client_address& from) const noexcept
    {
        return allowed_.empty() || any_contains(allowed_, from);
    }

    // The first that takes a client with this StartupMessage, of those that share its bind;
    // nullptr: none does.
    [[nodiscard]] listener_state* taker_of(pgwire::bytes startup) const noexcept;

    // The one that takes whoever cannot be read; nullptr: there is none.
    [[nodiscard]] listener_state* taker_of_all() const noexcept;

    const config::listener_settings settings;
    const config::cluster_settings cluster_settings;
    const destination to;
    process_state& process;
    std::size_t index = 0;                      // in the configuration
    std::size_t cluster = 0;                    // index of its cluster
    std::vector<listener_state*> sharing{this}; // its bind; in their order, itself included
    hold door;
    selection members;
    handshake_count handshakes;
    traffic_count traffic;

private:
    std::vector<address_range> allowed_;
    std::vector<address_range> proxies_;
};

} // namespace rolegate::proxy
