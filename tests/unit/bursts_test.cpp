// SPDX-License-Identifier: PostgreSQL
#include "health/bursts.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("health/bursts");

TEST_CASE("a burst that teaches nothing makes the next one about the same member wait")
{
    bursts b;
    time_point now{1000h};
    REQUIRE(b.may_begin("a", 1, now));
    b.begin("a", 1, now);
    CHECK(b.members(now) == std::vector<std::string>{"a"});
    CHECK(b.runs(now + 999ms));
    CHECK(!b.may_begin("a", 2, now + 999ms)); // it is looked at as often as may be
    CHECK(!b.runs(now + 1s));
    CHECK(!b.may_begin("a", 1, now + 1s));
    CHECK(b.may_begin("a", 2, now + 1s)); // something was learnt
    CHECK(!b.may_begin("a", 1, now + 11s - 1ms));
    CHECK(b.may_begin("a", 1, now + 11s));

    now += 11s;
    b.begin("a", 1, now);
    CHECK(!b.may_begin("a", 1, now + 21s - 1ms)); // twice as long
    CHECK(b.may_begin("a", 1, now + 21s));

    now += 21s;
    b.begin("a", 2, now); // taught
    CHECK(b.may_begin("a", 2, now + 11s));
}

TEST_CASE("several members are looked at beside each other, but not all of a hundred")
{
    bursts b;
    const time_point now{1000h};
    for (const char* name : {"a", "b", "c", "d"})
    {
        REQUIRE(b.may_begin(name, 1, now + 500ms));
        b.begin(name, 1, name[0] == 'a' ? now : now + 500ms);
    }
    CHECK(b.members(now + 999ms) == std::vector<std::string>{"a", "b", "c", "d"});
    CHECK(!b.may_begin("e", 1, now + 999ms));

    CHECK(b.members(now + 1s) == std::vector<std::string>{"b", "c", "d"});
    CHECK(b.may_begin("e", 1, now + 1s));
    CHECK(!b.runs(now + 1500ms));
}

TEST_SUITE_END();
