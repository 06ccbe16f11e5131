// SPDX-License-Identifier: PostgreSQL
//
// Who holds the leader key: from the DCS itself where it can be reached, else from what several
// members report of it. Pure.
#pragma once

#include "health/decide.hpp"

namespace rolegate::health
{

// How old a confirmation may be once the last known lease has ended unrenewed. A successor needs
// longer from the end of the key to its first write: it asks the others, takes the lock, promotes.
inline constexpr std::chrono::milliseconds lease_news_for{250};

// From this long before the end of a lease that nobody has renewed yet it is watched closely.
inline constexpr std::chrono::milliseconds lease_watch{2500};

// Whether what the DCS says counts alone.
[[nodiscard]] bool dcs_rules(const dcs_report& d, const policy& rules, time_point now);

// A DCS that is connected says who holds the lock, nobody else does. Without it reports count, for
// rules.fresh_for; without those, the last known lease for as long as it cannot have ended.
// `before` is what was believed until now: a holder that stays keeps its `since`.
//
// Reports may disagree: they were asked at different moments, or one reporter is cut off and
// repeats an old view. Reports that name the same holder (or none) are one claim. The claim that a
// reporter changed its mind to last wins: a view that only repeats itself never outranks a change.
// A holder on a lower timeline than one that was a primary when last heard is overtaken: its claim
// is older than that promotion.
[[nodiscard]] lock_belief
believe_lock(const evidence& seen, const lock_belief& before, const policy& rules, time_point now);

// The listing that backs `belief`; nullptr when the lock is unknown.
[[nodiscard]] const cluster_listing*
listing_behind(const evidence& seen, const lock_belief& belief);

} // namespace rolegate::health
