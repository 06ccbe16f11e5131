// SPDX-License-Identifier: PostgreSQL
//
// Which member a session goes to. Pure: the topology, the time and the turn come in as arguments.
#pragma once

#include "config/settings.hpp"
#include "health/topology.hpp"
#include "proxy/errc.hpp"

#include <span>
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

struct routed
{
    const health::member* member = nullptr; // lives as long as the topology
    errc why = errc::none; // when there is no member: no_routable_member, resting, stale_view
};

// Round robin: the `turn`-th of the open members, in the order of their names. Those in `resting`
// have just refused and are passed over; when all open members rest, `why` is resting.
[[nodiscard]] routed route(
    config::listener_role role,
    const health::topology& t,
    health::time_point now,
    std::uint64_t turn,
    std::span<const std::string> resting = {}
) noexcept;

[[nodiscard]] bool has_open_member(
    config::listener_role role, const health::topology& t, health::time_point now
) noexcept;

// Names of the members that are open for this role.
[[nodiscard]] std::vector<std::string>
open_members(config::listener_role role, const health::topology& t, health::time_point now);

} // namespace rolegate::proxy
