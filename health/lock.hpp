// SPDX-License-Identifier: PostgreSQL
//
// Who holds the leader key, from what several members report of it. Pure.
#pragma once

#include "health/evidence.hpp"
#include "health/topology.hpp"

namespace rolegate::health
{

// `fresh_for` bounds the age of a report that still counts. `before` is what was believed until
// now: a holder that stays keeps its `since`.
//
// Reports may disagree: they were asked at different moments, or one reporter is cut off and
// repeats an old view. Reports that name the same holder (or none) are one claim. The claim that a
// reporter changed its mind to last wins: a view that only repeats itself never outranks a change.
// A holder on a lower timeline than one that was a primary when last heard is overtaken: its claim
// is older than that promotion.
[[nodiscard]] lock_belief believe_lock(
    const evidence& seen,
    const lock_belief& before,
    std::chrono::milliseconds fresh_for,
    time_point now
);

// The freshest report that backs `belief`; nullptr when the lock is unknown.
[[nodiscard]] const lock_report* report_behind(const evidence& seen, const lock_belief& belief);

} // namespace rolegate::health
