// SPDX-License-Identifier: PostgreSQL
//
// Plain streaming replication: who is the primary, by nothing but what each PostgreSQL says of
// itself. No lock tells who may be one, so the timeline does: a promotion raises it. Pure; knows no
// socket and no clock. The rules stand in README.md ("Without Patroni").
#pragma once

#include "health/demands.hpp"
#include "health/postgres/evidence.hpp"
#include "health/topology.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace rolegate::health::postgres
{

struct policy
{
    std::string cluster;
    // How long a view is good at least: some answers may be missed. 3 intervals and a time-out.
    std::chrono::milliseconds fresh_for{5000};
    // How old the whole view may be before it routes nobody; unset: 10 s, or fresh_for if longer.
    std::optional<std::chrono::milliseconds> stale_after;
    bool end_when_stale = false; // on_stale: shutdown_sessions
    bool checks_members = false; // `check`: over HTTP as well
    unsigned rise = 1;           // for people only: evidence has counted
    operator_orders orders;      // by member
    std::vector<demand> demands; // of the cluster's listeners, in the order of the configuration
};

// Between closing one primary and opening the next: every worker has ended the old one's sessions
// by then, so that no write is acknowledged there once one is taken here.
inline constexpr std::chrono::milliseconds handover{50};

// Invariants (tests/unit/postgres_invariants_test.cpp): at most one member open for writing; none
// on a lower timeline than one seen before, or of another system than the first one opened; none
// beside another primary of the same timeline; the same evidence twice changes nothing.
[[nodiscard]] topology
decide(const evidence& seen, const policy& rules, const topology& before, time_point now);

} // namespace rolegate::health::postgres
