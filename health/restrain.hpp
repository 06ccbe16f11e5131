// SPDX-License-Identifier: PostgreSQL
//
// What holds for a member whatever the kind of its cluster: where it is, and what narrows a verdict
// on it. Pure.
#pragma once

#include "health/address.hpp"
#include "health/check_report.hpp"
#include "health/topology.hpp"

#include <map>
#include <string>

namespace rolegate::health
{

// Where `m.host` is now; what is not resolved yet stays as it was.
void take_addresses(member& m, const std::map<std::string, address_list>& known);

// What the additional check of this member says. One that was never checked does not pass.
void take_check(member& m, const check_reports& known);

// What an operator wants of it; ready where nothing was said.
void take_order(member& m, const operator_orders& orders);

// An open verdict needs somewhere to go.
void close_unreachable(grant& g, const member& m);

// The highest timeline is so new that nobody can be blamed yet.
[[nodiscard]] bool has_time_to_follow(const topology& now_believed, time_point now) noexcept;

// A member that newly comes in must follow the present timeline: an old primary that returns may
// hold rows nobody else has. One that served all along, `was_open`, gets time to follow.
// `now_believed` already knows the highest timeline of this decision.
[[nodiscard]] grant follows_timeline(
    const topology& now_believed, const member& m, grant g, bool was_open, time_point now
);

} // namespace rolegate::health
