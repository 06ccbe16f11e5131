// SPDX-License-Identifier: PostgreSQL
//
// How a belief passes to whoever follows the cluster from now on, or is asked for something else,
// so that clients notice nothing of it. Pure.
#pragma once

#include "health/demands.hpp"
#include "health/topology.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace rolegate::health
{

// What `heir` believes when it also knows what was known before. As long as it has seen nothing
// itself, that is all it believes; later the history only, so that no primary of an older
// timeline, or of another system, can be opened. Newer than both.
[[nodiscard]] topology inherit(const topology& heir, const topology& known);

// The same for one that has evidence of its own, by which it judges anew: a primary that was open
// by that may be one of an old timeline by the history.
template <class Decide>
[[nodiscard]] topology inherit_and_judge(const topology& heir, const topology& known, Decide decide)
{
    const auto t = inherit(heir, known);
    if (!heir.confirmed)
        return t; // nothing to judge by
    topology judged = decide(t);
    judged.generation = std::max(judged.generation, t.generation);
    judged.cause = t.cause;
    return judged;
}

// "" when nobody is worse off if `heir` judges from now on: it has seen the cluster itself since
// then, whoever is open now, and configured still, is open by it, too, and it writes to nobody who
// is known to have lost the role. Else what it lacks, for people.
[[nodiscard]] std::string
what_it_waits_for(const topology& heir, const topology& current, time_point since);

[[nodiscard]] inline bool
may_take_over(const topology& heir, const topology& current, time_point since)
{
    return what_it_waits_for(heir, current, since).empty();
}

// What is believed with other demands: watches over lag that were another demand's begin anew.
[[nodiscard]] topology
redemanded(topology t, const std::vector<demand>& before, const std::vector<demand>& after);

} // namespace rolegate::health
