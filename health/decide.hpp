// SPDX-License-Identifier: PostgreSQL
//
// Evidence in, verdict out: the one place where beliefs are made. Pure; knows no socket and no
// clock. The table it implements stands in README.md ("What happens when").
#pragma once

#include "health/demands.hpp"
#include "health/evidence.hpp"
#include "health/topology.hpp"

namespace rolegate::health
{

struct policy
{
    std::string cluster;
    // How old the lock's last report may be before the lock is unknown. Covers some missed polls:
    // 3 intervals and one time-out.
    std::chrono::milliseconds fresh_for{5000};
    // How old the DCS's last confirmation may be before it is lost: it is asked every 1 to 2 s.
    std::chrono::milliseconds dcs_fresh_for{5000};
    // How old a member's word may be before the member counts as silent: longer where members are
    // asked more rarely because a watch tells what changes.
    std::chrono::milliseconds word_fresh_for{5000};
    // How old the whole view may be before it routes nobody; unset: the cluster's ttl, else 10 s.
    std::optional<std::chrono::milliseconds> stale_after;
    bool fence_without_dcs = false; // on_dcs_loss: fence
    bool checks_members = false;    // `check`: over HTTP as well
    bool end_when_stale = false;    // on_stale: shutdown_sessions
    operator_orders orders;         // by member
    std::vector<demand> demands;    // of the cluster's listeners, in the order of the configuration
};

// Invariants (tests/unit/decide_invariants_test.cpp): at most one member open for writing; none
// whose lock another holds; none on a lower timeline than one opened before; the same evidence
// twice changes nothing.
[[nodiscard]] topology
decide(const evidence& seen, const policy& rules, const topology& before, time_point now);

} // namespace rolegate::health
