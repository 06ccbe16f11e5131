// SPDX-License-Identifier: PostgreSQL
//
// What narrows a verdict whatever the kind of the cluster. Pure.
#pragma once

#include "health/topology.hpp"

namespace rolegate::health
{

// An open verdict needs somewhere to go.
void close_unreachable(grant& g, const member& m);

// A member that newly comes in must follow the present timeline: an old primary that returns may
// hold rows nobody else has. One that served all along, `was_open`, gets time to follow.
// `now_believed` already knows the highest timeline of this decision.
[[nodiscard]] grant follows_timeline(
    const topology& now_believed, const member& m, grant g, bool was_open, time_point now
);

} // namespace rolegate::health
