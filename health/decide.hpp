// SPDX-License-Identifier: PostgreSQL
//
// Evidence in, verdict out: the one place where beliefs are made. Pure; knows no socket and no
// clock. The table it implements stands in README.md ("What happens when").
#pragma once

#include "health/evidence.hpp"
#include "health/topology.hpp"

namespace rolegate::health
{

struct policy
{
    std::string cluster;
    // How old the lock's last report may be before the lock is unknown, and a member's word before
    // the member counts as silent. Covers some missed polls: 3 intervals and one time-out.
    std::chrono::milliseconds fresh_for{5000};
    // How old the whole view may be before it routes nobody; unset: the cluster's ttl, else 10 s.
    std::optional<std::chrono::milliseconds> stale_after;
};

// Invariants (tests/unit/decide_invariants_test.cpp): at most one member open for writing; none
// whose lock another holds; none on a lower timeline than one opened before; the same evidence
// twice changes nothing.
[[nodiscard]] topology
decide(const evidence& seen, const policy& rules, const topology& before, time_point now);

} // namespace rolegate::health
