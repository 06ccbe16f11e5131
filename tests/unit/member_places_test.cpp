// SPDX-License-Identifier: PostgreSQL
#include "proxy/member_places.hpp"

#include "proxy/hold.hpp"

#include <doctest/doctest.h>

using rolegate::proxy::hold;
using rolegate::proxy::ticket;
using turn = hold::turn;

namespace
{

std::string_view one_session_on_a(const hold::room& room)
{
    return room.is_full("a", 1) ? "" : "a";
}

} // namespace

TEST_SUITE_BEGIN("proxy/member_places");

TEST_CASE("members of the same name in another cluster are others")
{
    hold door({.max_held = 10, .maxconn = {}}, [](std::size_t, ticket) {});
    hold::visit old(door, 0);
    hold::visit fresh(door, 0);
    hold::visit third(door, 0);
    REQUIRE(old.enter(one_session_on_a, 1) == turn::entered);
    CHECK(third.enter(one_session_on_a, 1) == turn::full);
    third.leave();
    CHECK(fresh.enter(one_session_on_a, 2) == turn::entered);
    CHECK(fresh.member() == "a");
    CHECK(third.enter(one_session_on_a, 2) == turn::full);

    CHECK(door.sessions() == 2);
    using counts = std::map<std::string, std::size_t, std::less<>>;
    CHECK(door.sessions_by_member(1) == counts{{"a", 1}});
    CHECK(door.sessions_by_member(2) == counts{{"a", 1}});
    CHECK(door.sessions_by_member(3).empty());
    old.leave();
    CHECK(door.sessions_by_member(1).empty());
    CHECK(door.sessions_by_member(2) == counts{{"a", 1}});
    fresh.leave();
    CHECK(third.enter(one_session_on_a, 2) == turn::entered);
}

TEST_SUITE_END();
