// SPDX-License-Identifier: PostgreSQL
//
// Which members a session may go to, and stay on. Pure: the topology and the time come in as
// arguments. Which of them it gets is balance.hpp's.
#pragma once

#include "config/settings.hpp"
#include "health/topology.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::proxy
{

// Whom a listener leads to: its role, and where its verdict stands in each member's grants.
struct destination
{
    config::listener_role role = config::listener_role::primary;
    std::size_t index = 0; // of the listener among those of its cluster, as configured

    friend bool operator==(const destination&, const destination&) = default;
};

// The verdict on `m` that counts; closed where none has been reached yet.
[[nodiscard]] const health::grant& grant_for(destination to, const health::member& m) noexcept;

// May a session stay on the member of this name? A member that is no longer known keeps its readers
// (its own PostgreSQL is the judge) and loses its writers.
[[nodiscard]] bool
may_stay(destination to, const health::topology& t, std::string_view member) noexcept;

// Is its member in maintenance, so that the session is to end when it can without harm?
[[nodiscard]] bool must_leave(const health::topology& t, std::string_view member) noexcept;

// The member that stood in for others of the role and need not any more; nullptr: there is none.
[[nodiscard]] const health::member*
relieved_member(destination to, const health::topology& t) noexcept;

// Is this member open although its Patroni is silent, and would another one stand in for it?
[[nodiscard]] bool
has_stand_in(destination to, const health::topology& t, std::string_view member) noexcept;

// Places in the cluster's list of members, by which some of them come before others; those that are
// not on it share the place behind its end. Patroni's members are discovered: none is listed.
class listed_places
{
public:
    explicit listed_places(const config::cluster_settings& cluster);

    [[nodiscard]] std::size_t of(std::string_view member) const noexcept;

private:
    std::map<std::string, std::size_t, std::less<>> by_name_;
};

// The members that a new session may go to, in the order of their names: those that are open; of
// those with `backup` the first, as they are listed or by name, and only while no other is open.
// Nobody when the view is stale.
void find_eligible(
    destination to,
    const health::topology& t,
    health::time_point now,
    const config::cluster_settings& cluster,
    const listed_places& places,
    std::vector<const health::member*>& out
);

[[nodiscard]] bool
has_open_member(destination to, const health::topology& t, health::time_point now) noexcept;

// Names of the members that are open.
[[nodiscard]] std::vector<std::string>
open_members(destination to, const health::topology& t, health::time_point now);

} // namespace rolegate::proxy
