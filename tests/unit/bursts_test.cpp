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
    CHECK(b.member() == "a");
    CHECK(b.runs(now + 999ms));
    CHECK(!b.may_begin("b", 1, now + 999ms)); // one at a time
    CHECK(!b.runs(now + 1s));
    CHECK(b.may_begin("b", 1, now + 1s));
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

TEST_SUITE_END();
