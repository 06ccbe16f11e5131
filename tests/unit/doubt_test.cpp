// SPDX-License-Identifier: PostgreSQL
#include "health/doubt.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("health/doubt");

namespace
{

const time_point t0{1000h};

} // namespace

TEST_CASE("what was asked for before a refusal is not to be believed, what was asked later is")
{
    doubt d;
    CHECK(d.since() == time_point{});
    d.refused(t0);
    CHECK(d.since() == t0);
    d.spoke(t0 - 1ms, true, t0 + 5ms); // asked too early: settles nothing
    d.refused(t0 + 10ms);
    CHECK(d.since() == t0 + 10ms);
}

TEST_CASE("a member whose word contradicts refusals is not doubted again for longer and longer")
{
    doubt d;
    auto now = t0;
    for (const auto pause : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s})
    {
        d.refused(now);
        REQUIRE(d.since() == now);
        d.spoke(now + 1ms, true, now + 10ms);
        d.refused(now + 10ms + pause - 1ms);
        CHECK(d.since() == now);
        now += 10ms + pause;
    }
    // The last false alarm is long ago.
    now += 61s;
    d.refused(now);
    d.spoke(now + 1ms, true, now + 10ms);
    d.refused(now + 1011ms);
    CHECK(d.since() == now + 1011ms);
}

TEST_CASE("a refusal that was right is no false alarm: the next one counts at once")
{
    doubt d;
    d.refused(t0);
    d.spoke(t0 + 1ms, false, t0 + 10ms);
    d.refused(t0 + 11ms);
    CHECK(d.since() == t0 + 11ms);
}

TEST_SUITE_END();
