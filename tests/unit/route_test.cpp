// SPDX-License-Identifier: PostgreSQL
#include "proxy/route.hpp"

#include "tests/support/topology_builder.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace rolegate::proxy;
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

// The member's name, or the word of the refusal.
std::string where(
    listener_role role,
    const topology& t,
    std::uint64_t turn,
    const std::vector<std::string>& resting = {},
    time_point now = confirmed
)
{
    const auto found = route(role, t, now, turn, resting);
    CHECK((found.member != nullptr) == (found.why == errc::none));
    return found.member ? found.member->name : info(found.why).word;
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
    CHECK(where(listener_role::primary, t, 0) == "a");
    CHECK(where(listener_role::replica, t, 0) == "b");
}

TEST_CASE("turns go round the open members in the order of their names")
{
    const auto t = four();
    const char* expected[] = {"b", "c", "d"};

    for (std::uint64_t turn = 0; turn < 30; ++turn)
    {
        CAPTURE(turn);
        CHECK(where(listener_role::replica, t, turn) == expected[turn % 3]);
        CHECK(where(listener_role::primary, t, turn) == "a");
    }
    CHECK(where(listener_role::replica, t, UINT64_MAX) == expected[UINT64_MAX % 3]);
}

TEST_CASE("members that are kept or closed get no new session, and no turn")
{
    const auto t = topology_builder()
                       .replica("b")
                       .add("c", member_role::replica, admission::closed, admission::keep)
                       .add("d", member_role::replica, admission::closed, admission::closed)
                       .replica("e")
                       .build();
    std::map<std::string, int> sessions;

    for (std::uint64_t turn = 0; turn < 100; ++turn)
        ++sessions[where(listener_role::replica, t, turn)];

    CHECK(sessions == std::map<std::string, int>{{"b", 50}, {"e", 50}});
}

TEST_CASE("members that have just refused rest, and the others share their turns")
{
    const auto t = four();
    std::map<std::string, int> sessions;

    for (std::uint64_t turn = 0; turn < 100; ++turn)
        ++sessions[where(listener_role::replica, t, turn, {"c"})];

    CHECK(sessions == std::map<std::string, int>{{"b", 50}, {"d", 50}});
    CHECK(where(listener_role::replica, t, 1, {"b", "d"}) == "c");
    CHECK(where(listener_role::replica, t, 1, {"nobody"}) == "c");
    CHECK(where(listener_role::replica, t, 1, {"a"}) == "c");
}

TEST_CASE("when all open members rest, that is why, and not the lack of a member")
{
    const auto t = four();

    CHECK(where(listener_role::primary, t, 7, {"a"}) == "resting");
    CHECK(where(listener_role::replica, t, 7, {"d", "c", "b"}) == "resting");
    CHECK(where(listener_role::replica, topology{}, 7, {"b"}) == "no_routable_member");
    CHECK(where(listener_role::replica, t, 7, {"d", "c", "b"}, confirmed + 24h) == "stale_view");
}

TEST_CASE("without an open member there is nobody to route to")
{
    const auto kept =
        topology_builder().add("a", member_role::primary, admission::keep, admission::keep).build();

    for (const auto role : {listener_role::primary, listener_role::replica})
    {
        CHECK(where(role, kept, 0) == "no_routable_member");
        CHECK(where(role, kept, 0, {"a"}) == "no_routable_member");
        CHECK(where(role, topology{}, 0) == "no_routable_member");
        CHECK(open_members(role, kept, confirmed).empty());
    }
}

TEST_CASE("a stale view routes nobody, whoever is open in it")
{
    const auto t = four();
    const auto last = confirmed + t.stale_after;

    for (const auto role : {listener_role::primary, listener_role::replica})
    {
        CHECK(route(role, t, last, 0).why == errc::none);
        CHECK(where(role, t, 0, {}, last + 1ns) == "stale_view");
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
