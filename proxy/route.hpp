// SPDX-License-Identifier: PostgreSQL
//
// Which members a session may go to, and stay on. Pure: the topology and the time come in as
// arguments. Which of them it gets is balance.hpp's.
#pragma once

#include "config/settings.hpp"
#include "health/topology.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace rolegate::proxy
{

// The verdict of `m` that counts for a listener of this role.
[[nodiscard]] const health::grant&
grant_for(config::listener_role role, const health::member& m) noexcept;

// May a session of this role stay on the member of this name? A member that is no longer known
// keeps its readers (its own PostgreSQL is the judge) and loses its writers.
[[nodiscard]] bool
may_stay(config::listener_role role, const health::topology& t, std::string_view member) noexcept;

// The members that a new session may go to, in the order of their names: those that are open; of
// those with `backup` the first, and only while no other is open. Nobody when the view is stale.
void find_eligible(
    config::listener_role role,
    const health::topology& t,
    health::time_point now,
    const config::cluster_settings& cluster,
    std::vector<const health::member*>& out
);

[[nodiscard]] bool has_open_member(
    config::listener_role role, const health::topology& t, health::time_point now
) noexcept;

// Names of the members that are open for this role.
[[nodiscard]] std::vector<std::string>
open_members(config::listener_role role, const health::topology& t, health::time_point now);

} // namespace rolegate::proxy
