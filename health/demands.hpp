// SPDX-License-Identifier: PostgreSQL
//
// From what a member is to whether a listener may use it: its role, tags, lag, fallback and
// preference. For every kind of cluster alike; whoever decides fills in each member's `write` and
// `read` and what it knows of lag, tags and replication first. Pure.
#pragma once

#include "config/demand_settings.hpp"
#include "health/topology.hpp"

#include <string>
#include <vector>

namespace rolegate::health
{

struct demand
{
    std::string listener;
    config::member_demand wants;

    friend bool operator==(const demand&, const demand&) = default;
};

// Fills in `t.listeners` and each member's `grants` and `lag_watches`, by the demands' index. What
// was known of lag before is taken from `before`.
//
// Losing the role closes a member. Tags, lag, the kind of replication and a check over HTTP that
// fails only keep it from new sessions, and so does an operator's order: it outweighs all but the
// loss of the role. A limit on what is not known is not met.
void grant_demands(
    topology& t, const topology& before, const std::vector<demand>& demands, time_point now
);

} // namespace rolegate::health
