// SPDX-License-Identifier: PostgreSQL
//
// How far standbys are with the primary's WAL, in bytes and in time, whoever says so. Pure.
#pragma once

#include "health/topology.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace rolegate::health
{

// What a standby has said of its replay.
struct replay
{
    std::optional<std::int64_t> lsn;              // bytes
    std::optional<std::int64_t> received_lsn;     // bytes
    std::optional<std::chrono::milliseconds> age; // of what was replayed last, when it said so
    time_point seen{};
};

// Where the primary was last, and before that; `now` is its newest word, if there is one.
void note_position(topology& t, const topology& before, const std::optional<wal_position>& now);

// WAL goes on between two questions: held against an older position of the primary a standby never
// looks worse than it is, and better only by what was written meanwhile. nullptr: there is none, or
// none that is at most `fresh_for` older than `seen`.
[[nodiscard]] const wal_position*
position_for(const topology& t, time_point seen, std::chrono::milliseconds fresh_for);

// Sets `lag_time` of a standby whose other facts are known, `lag_bytes` among them.
void measure_lag_time(member& m, const replay& said);

} // namespace rolegate::health
