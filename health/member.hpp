// SPDX-License-Identifier: PostgreSQL
//
// One PostgreSQL instance of a cluster, in Patroni's words. Plain values: no Asio, no addresses
// that would have to be resolved.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace rolegate::health
{

using clock = std::chrono::steady_clock;
using time_point = clock::time_point;

// Of a member, as the operator set them in Patroni; values as texts.
using tag_map = std::map<std::string, std::string>;

// What a member is. `primary` stands for Patroni's "master" (up to 3.3) and "primary" (from 4.0).
enum class member_role
{
    unknown, // "demoted", "promoted", "uninitialized", or a word we do not know
    primary,
    replica,
    standby_leader,
};

// Whether its PostgreSQL works, as Patroni's `state` says.
enum class member_state
{
    unknown,  // Patroni thinks it runs but could not ask it, or a word we do not know
    running,  // also "streaming" and "in archive recovery", which /cluster says of replicas
    starting, // "starting", "restarting", "initializing new cluster", "creating replica", ...
    stopping,
    stopped, // also "stop failed", "start failed", "restart failed", ...
    crashed,
};

// Whether the primary waits for a replica when it commits, in the words of pg_stat_replication.
enum class sync_state
{
    unknown,
    async,
    sync,   // Patroni's `sync_standby`
    quorum, // Patroni's `quorum_standby`
};

// What live traffic saw of a member. It decides nothing alone: the member is looked at again.
enum class life_sign
{
    ended,   // it ended or reset a session
    refused, // it refused a connection, or answered a startup packet with "not now"
    silent,  // it could not be reached in time, or took a connection and said nothing
};

// A switchover or failover that somebody has asked for. It is advice: Patroni may refuse it.
struct planned_switchover
{
    std::string from; // "" = a failover, whoever leads
    std::string to;   // "" = any candidate
    std::string at;   // ISO 8601 as Patroni wrote it; "" = now

    friend bool operator==(const planned_switchover&, const planned_switchover&) = default;
};

[[nodiscard]] const char* to_string(member_role r) noexcept;
[[nodiscard]] const char* to_string(member_state s) noexcept;
[[nodiscard]] const char* to_string(sync_state s) noexcept;

} // namespace rolegate::health
