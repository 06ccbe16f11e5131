// SPDX-License-Identifier: PostgreSQL
#include "proxy/route.hpp"

#include "tests/support/topology_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate::proxy;
using rolegate::config::cluster_settings;
using rolegate::config::listener_role;
using rolegate::health::admission;
using rolegate::health::member_role;
using rolegate::health::time_point;
using rolegate::health::topology;
using rolegate::support::topology_builder;
using namespace std::chrono_literals;

namespace
{

const auto confirmed = *topology_builder().build().confirmed;

// Whom a new session may go to: their names.
std::string where(
    listener_role role,
    const topology& t,
    const cluster_settings& cluster = {},
    time_point now = confirmed
)
{
    std::vector<const rolegate::health::member*> found;
    find_eligible(role, t, now, cluster, found);
    std::string names;
    for (const auto* m : found)
        names += (names.empty() ? "" : " ") + m->name;
    return names;
}

topology four()
{
    return topology_builder().primary("a").replica("b").replica("c").replica("d").build();
}

} // namespace

TEST_SUITE_BEGIN("proxy/route");

TEST_CASE("a listener's role decides which verdict counts")
{
    const auto t = four();

    CHECK(&grant_for(listener_role::primary, t.members[0]) == &t.members[0].write);
    CHECK(&grant_for(listener_role::replica, t.members[0]) == &t.members[0].read);
    CHECK(where(listener_role::primary, t) == "a");
    CHECK(where(listener_role::replica, t) == "b c d");
}

TEST_CASE("members that are kept or closed get no new session")
{
    const auto t = topology_builder()
                       .replica("b")
                       .add("c", member_role::replica, admission::closed, admission::keep)
                       .add("d", member_role::replica, admission::closed, admission::closed)
                       .replica("e")
                       .build();

    CHECK(where(listener_role::replica, t) == "b e");
    CHECK(where(listener_role::primary, t) == "");
    CHECK(where(listener_role::replica, topology{}) == "");
}

TEST_CASE("a backup is used while no other member is open, and then the first one only")
{
    cluster_settings cluster;
    cluster.default_member.backup = true;
    cluster.member_options["b"].backup = false;
    CHECK(where(listener_role::replica, four(), cluster) == "b");
    CHECK(where(listener_role::primary, four(), cluster) == "a");

    auto t = four();
    t.members[1].read.verdict = admission::keep;
    CHECK(where(listener_role::replica, t, cluster) == "c");
    t.members[2].read.verdict = admission::closed;
    CHECK(where(listener_role::replica, t, cluster) == "d");
    t.members[3].read.verdict = admission::closed;
    CHECK(where(listener_role::replica, t, cluster) == "");
}

TEST_CASE("without an open member there is nobody to go to")
{
    const auto kept =
        topology_builder().add("a", member_role::primary, admission::keep, admission::keep).build();

    for (const auto role : {listener_role::primary, listener_role::replica})
    {
        CHECK(where(role, kept) == "");
        CHECK_FALSE(has_open_member(role, kept, confirmed));
        CHECK(open_members(role, kept, confirmed).empty());
    }
}

TEST_CASE("in a stale view there is nobody to go to, whoever is open in it")
{
    const auto t = four();
    const auto last = confirmed + t.stale_after;

    for (const auto role : {listener_role::primary, listener_role::replica})
    {
        CHECK(where(role, t, {}, last) != "");
        CHECK(where(role, t, {}, last + 1ns) == "");
        CHECK(has_open_member(role, t, last));
        CHECK_FALSE(has_open_member(role, t, last + 1ns));
        CHECK_FALSE(open_members(role, t, last).empty());
        CHECK(open_members(role, t, last + 1ns).empty());
    }
}

TEST_CASE("the open members are named in their order")
{
    const auto t = four();

    CHECK(open_members(listener_role::primary, t, confirmed) == std::vector<std::string>{"a"});
    CHECK(
        open_members(listener_role::replica, t, confirmed) ==
        std::vector<std::string>{"b", "c", "d"}
    );
}

TEST_CASE("a session may stay until its member loses the role")
{
    const struct
    {
        const char* name;
        admission verdict;
        bool stays;
    } rows[] = {
        {"open", admission::open, true},
        {"keep", admission::keep, true},
        {"closed", admission::closed, false},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        const auto t = topology_builder()
                           .add("w", member_role::primary, row.verdict, admission::closed)
                           .add("r", member_role::replica, admission::closed, row.verdict)
                           .build();

        CHECK(may_stay(listener_role::primary, t, "w") == row.stays);
        CHECK_FALSE(may_stay(listener_role::replica, t, "w"));
        CHECK(may_stay(listener_role::replica, t, "r") == row.stays);
        CHECK_FALSE(may_stay(listener_role::primary, t, "r"));
    }
}

TEST_CASE("a member that is not known any more keeps its readers and loses its writers")
{
    const auto t = four();

    CHECK(may_stay(listener_role::replica, t, "gone"));
    CHECK_FALSE(may_stay(listener_role::primary, t, "gone"));
}

TEST_CASE("a stale view ends no session")
{
    auto t = four();
    t.confirmed = confirmed - 24h;

    CHECK(may_stay(listener_role::primary, t, "a"));
    CHECK(may_stay(listener_role::replica, t, "b"));
}
