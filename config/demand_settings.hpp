// SPDX-License-Identifier: PostgreSQL
//
// What a listener demands of the members it leads to. Which of them meet it is decided in health/.
#pragma once

#include "config/places.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace rolegate::config
{

// Which members a listener leads to; the words are Patroni's endpoint names.
enum class listener_role
{
    primary,
    leader,           // holds the leader lock: the primary, or the leader of a standby cluster
    standby_leader,   // the leader of a standby cluster
    replica,          // any that may be balanced to
    read_only,        // the leader and the replicas
    sync,             // replicas that the primary waits for, by `synchronous_mode`
    async,            // replicas that it does not wait for
    quorum,           // replicas of which it waits for some
    read_only_sync,   // the leader and `sync`
    read_only_quorum, // the leader and `quorum`
    any,              // whoever is open for anything
};

// Leads to nobody but the one that holds the leader lock.
[[nodiscard]] constexpr bool is_leader_only(listener_role r) noexcept
{
    return r == listener_role::primary || r == listener_role::leader ||
           r == listener_role::standby_leader;
}

// Leads to replicas, and to nobody else.
[[nodiscard]] constexpr bool is_replica_only(listener_role r) noexcept
{
    return r == listener_role::replica || r == listener_role::sync || r == listener_role::async ||
           r == listener_role::quorum;
}

// Beyond `leave` a replica gets no new sessions; it does again when it has been at `enter` or below
// for a while.
template <class T> struct lag_limit
{
    T leave{};
    T enter{};

    friend bool operator==(const lag_limit&, const lag_limit&) = default;
};

// By name; values as texts, like those of Patroni's tags.
using tag_map = std::map<std::string, std::string>;

struct member_demand
{
    listener_role role = listener_role::primary;
    std::optional<lag_limit<std::int64_t>> lag;      // bytes of WAL not replayed yet
    std::optional<lag_limit<milliseconds>> lag_time; // age of what was replayed last
    milliseconds lag_dwell{10000};                   // at `enter` or below so long
    std::string replication_state;                   // "" = streaming, where Patroni tells
    tag_map tags;                                    // all of them
    tag_map prefer_tags;                             // prefer.tags
    bool fallback_primary = false;                   // fallback: primary

    friend bool operator==(const member_demand&, const member_demand&) = default;
};

} // namespace rolegate::config
