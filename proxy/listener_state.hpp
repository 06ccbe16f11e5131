// SPDX-License-Identifier: PostgreSQL
//
// What all workers know and share of a listener, as it was configured at some time, and of the
// process. A reload makes a new state where something has changed; sessions keep the one they began
// with, and it goes with the last of them. What must outlast that is the doorway's.
#pragma once

#include "config/settings.hpp"
#include "proxy/address_range.hpp"
#include "proxy/cancel_keys.hpp"
#include "proxy/doorway.hpp"
#include "proxy/listener_tls.hpp"
#include "proxy/pgwire/first_packet.hpp"
#include "proxy/seating.hpp"
#include "proxy/selection.hpp"

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

namespace rolegate::proxy
{

// Outlives all listeners.
struct process_state
{
    cancel_keys keys;
    std::atomic<std::size_t> clients{0};                             // accepted and not gone yet
    std::atomic<std::size_t> maxconn = static_cast<std::size_t>(-1); // as many at most
};

struct listener_state
{
    // `before`: whom it replaces, or nullptr.
    listener_state(
        config::listener_settings l,
        config::cluster_settings c,
        seat_ptr at,
        std::shared_ptr<doorway> through,
        listener_tls_contexts contexts,
        process_state& p,
        const listener_state* before
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

    // A client that `before` has let in but not led anywhere yet may go on by these settings: what
    // was agreed with it holds here, too.
    [[nodiscard]] bool continues(const listener_state& before) const noexcept;

    [[nodiscard]] listener_stats& stats(std::size_t worker) noexcept { return way->stats[worker]; }

    const config::listener_settings settings;
    const config::cluster_settings cluster_settings;

    const seat_ptr place;
    const std::shared_ptr<doorway> way;
    const destination to;
    const std::size_t cluster;                  // its number
    const std::size_t id;                       // of the listener, through every reload
    const listener_tls_contexts tls;            // read from the files of `settings`
    std::vector<listener_state*> sharing{this}; // its bind; in their order, itself included
    process_state& process;
    hold& door;
    handshake_count& handshakes;
    traffic_count& traffic;
    selection members;

private:
    std::vector<address_range> allowed_;
    std::vector<address_range> proxies_;
};

// Those that share a bind live and go as one.
using listener_group = std::deque<listener_state>; // addresses stay
using listener_ptr = std::shared_ptr<listener_state>;

// Another one of the same group.
[[nodiscard]] inline listener_ptr neighbour(const listener_ptr& one, listener_state& other)
{
    return {one, &other};
}

} // namespace rolegate::proxy
