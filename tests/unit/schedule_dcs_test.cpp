// SPDX-License-Identifier: PostgreSQL
//
// Whom to ask what, and when, while a DCS tells the lock, the members and the ttl.
#include "health/schedule.hpp"

#include "tests/support/polling.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace rolegate::health;
using namespace rolegate::support;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("health/schedule");

TEST_CASE("while a DCS is watched, members are asked for their word, nobody for anything else")
{
    for (const bool have_listing : {false, true})
    {
        CAPTURE(have_listing);
        auto p = watched();
        p.have_listing = have_listing;
        p.lock_doubtful = false;
        simulation s(p);
        for (const char* name : {"a", "b", "c"})
            s.add(name, 5ms);
        const auto seed = s.add("", 5ms);

        s.run(60s);

        CHECK(s.count(question::listing) == 0);
        CHECK(s.count(question::ttl) == 0);
        CHECK(s.count(seed) == 0);
        for (std::size_t i = 0; i < 3; ++i)
        {
            CHECK(s.count(i, question::word) >= 59);
            CHECK(s.count(i, question::word) <= 61);
        }
    }
}

TEST_CASE("members that have not changed are asked at the quiet interval")
{
    const struct
    {
        const char* name;
        clock::duration quiet_interval;
        std::size_t fewest, most; // words of each member in a minute
    } rows[] = {
        {"ten seconds", 10s, 6, 7},
        {"shorter than the interval: that one counts", 100ms, 59, 61},
        {"none", 0ms, 59, 61},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        simulation s(watched(row.quiet_interval));
        for (const char* name : {"a", "b", "c"})
            s.add(name, 5ms);

        s.run(60s);

        for (std::size_t i = 0; i < 3; ++i)
        {
            CHECK(s.count(i) >= row.fewest);
            CHECK(s.count(i) <= row.most);
        }
    }
}

TEST_CASE("three quiet members together are asked less than once in two seconds")
{
    simulation s(watched(10s));
    for (const char* name : {"a", "b", "c"})
        s.add(name, 5ms);

    s.run(10min);

    CHECK(s.asks.size() <= 300);
}

TEST_CASE("a member whose key has changed is asked at once, and once")
{
    simulation s(watched(10s));
    const auto a = s.add("a", 5ms);
    const auto b = s.add("b", 5ms);
    s.run(5s);
    REQUIRE(s.count(a) == 1);

    s.endpoints[a].touched = true;
    const auto touched_at = s.now;
    s.run(4s);

    REQUIRE(s.count(a) == 2);
    CHECK(s.asks.back().endpoint == a);
    CHECK(s.asks.back().at == touched_at);
    CHECK(s.asks.back().what == question::word);
    CHECK(s.count(b) == 1);

    // Ten seconds count from that.
    s.run(5s);
    CHECK(s.count(a) == 2);
    CHECK(s.count(b) == 2);
}

TEST_CASE("a touched member is not asked twice at a time, nor sooner than it has rested")
{
    auto busy = endpoint("a");
    busy.touched = true;
    busy.in_flight = true;
    busy.word_asked = start;
    CHECK(make_plan({busy}, watched(10s), start + 1ms).asks.empty());

    auto slow = endpoint("a");
    slow.touched = true;
    slow.word_asked = start;
    slow.finished = start + 100ms;
    slow.latency = 100ms;
    const auto early = make_plan({slow}, watched(10s), start + 200ms);
    CHECK(early.asks.empty());
    CHECK(early.next == start + 500ms);
    CHECK(make_plan({slow}, watched(10s), start + 500ms).asks.size() == 1);

    auto dead = slow;
    dead.failed = true;
    CHECK(make_plan({dead}, watched(10s), start + 1099ms).asks.empty());
    CHECK(make_plan({dead}, watched(10s), start + 1100ms).asks.size() == 1);
}

TEST_CASE("a burst beside a DCS goes to the members in focus, with words only")
{
    auto p = watched(10s);
    p.fast = true;
    p.focus = {"b"};
    simulation s(p);
    const auto a = s.add("a", 2ms);
    const auto b = s.add("b", 2ms);

    s.run(10s);

    CHECK(s.count(b, question::word) >= 190);
    CHECK(s.count(b, question::word) <= 201);
    CHECK(s.count(a) <= 2);
    CHECK(s.count(question::listing) == 0);
    CHECK(s.count(question::ttl) == 0);
}

TEST_CASE("when the watch is lost, listings are asked for at once")
{
    simulation s(watched(10s));
    s.add("a", 5ms);
    s.add("b", 5ms);
    s.run(25s);
    REQUIRE(s.count(question::listing) == 0);

    s.rhythm.watched = false;
    s.rhythm.quiet_interval = {};
    const auto lost_at = s.now;
    s.run(10s);

    const auto first = std::ranges::find(s.asks, question::listing, &simulation::asked::what);
    REQUIRE(first != s.asks.end());
    CHECK(first->at - lost_at <= 10ms);
    CHECK(s.count(question::listing) >= 9);
    CHECK(s.count(question::ttl) == 1);
}
