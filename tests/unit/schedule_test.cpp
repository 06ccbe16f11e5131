// SPDX-License-Identifier: PostgreSQL
#include "health/schedule.hpp"

#include "tests/support/polling.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>

using namespace rolegate::health;
using namespace rolegate::support;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("health/schedule");

TEST_CASE("an endpoint is never asked two things at a time")
{
    for (const auto& p : {steady(), burst({"a"}), burst({"a", "b"}), seeking()})
    {
        std::vector<rest_endpoint> endpoints{endpoint("a"), endpoint("b"), endpoint("")};
        for (std::size_t busy = 0; busy <= endpoints.size(); ++busy)
        {
            CAPTURE(busy);
            for (std::size_t i = 0; i < endpoints.size(); ++i)
                endpoints[i].in_flight = i < busy;

            const auto plan = make_plan(endpoints, p, start);

            std::vector<int> asked(endpoints.size(), 0);
            for (const auto& a : plan.asks)
            {
                CHECK_FALSE(endpoints[a.endpoint].in_flight);
                CHECK(++asked[a.endpoint] == 1);
            }
            CHECK(plan.next > start);
        }
    }
}

TEST_CASE("at first every seed is asked for the members, and nothing else")
{
    const std::vector<rest_endpoint> seeds{endpoint(""), endpoint(""), endpoint("")};

    const auto plan = make_plan(seeds, seeking(), start);

    REQUIRE(plan.asks.size() == 3);
    for (std::size_t i = 0; i < 3; ++i)
    {
        CHECK(plan.asks[i].endpoint == i);
        CHECK(plan.asks[i].what == question::listing);
    }
}

TEST_CASE("a seed that hangs does not delay the others")
{
    simulation s(seeking());
    const auto hanging = s.add("", 1h);
    const auto refusing = s.add("", 1ms, true);

    s.run(10s);

    CHECK(s.count(hanging) == 1);
    CHECK(s.count(refusing, question::listing) >= 9);
    CHECK(s.count(refusing) <= 11);
}

TEST_CASE("dead seeds are asked once an interval, without a busy loop")
{
    const struct
    {
        const char* name;
        bool have_listing;
        bool fast;
        clock::duration latency;
    } rows[] = {
        {"refused, nothing known", false, false, 1ms},
        {"refused, members known", true, false, 1ms},
        {"refused, a role change in the air", true, true, 1ms},
        {"no route: fails in the same moment", true, true, 0ms},
        {"black hole, nothing known", false, false, 2s},
        {"black hole, a role change in the air", true, true, 2s},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        auto p = row.fast ? burst({"a"}) : steady();
        p.have_listing = row.have_listing;
        simulation s(p);
        for (const char* name : {"a", "b", ""})
            s.add(name, row.latency, true);

        s.run(60s);

        const auto fewest = static_cast<std::size_t>(60s / (1s + row.latency)) - 1;
        for (std::size_t i = 0; i < 3; ++i)
        {
            CAPTURE(i);
            CHECK(s.count(i) <= (s.rhythm.fast ? 301 : 61)); // five a second in a burst
            CHECK(s.count(i) >= fewest);
        }
        CHECK(s.plans < 2000);
    }
}

TEST_CASE("in calm, each member is asked once an interval, and one of them for the listing")
{
    simulation s(steady());
    for (const char* name : {"a", "b", "c"})
        s.add(name, 5ms);

    s.run(60s);

    for (std::size_t i = 0; i < 3; ++i)
    {
        CAPTURE(i);
        CHECK(s.count(i, question::word) >= 58);
        CHECK(s.count(i, question::word) <= 61);
        CHECK(s.count(i, question::listing) >= 18);
        CHECK(s.count(i, question::listing) <= 22);
    }
    CHECK(s.count(question::listing) >= 58);
    CHECK(s.count(question::listing) <= 61);
    CHECK(s.count(question::ttl) == 2);
    CHECK(s.count(question::claim) == 0);
    CHECK(s.plans < 1500);
}

TEST_CASE("listings are asked of the members in turn, of one that failed last only")
{
    std::vector<rest_endpoint> endpoints{endpoint("a"), endpoint("b"), endpoint("c")};
    endpoints[0].listing_asked = start - 3s;
    endpoints[1].listing_asked = start - 5s;
    endpoints[2].listing_asked = start - 4s;
    for (auto& e : endpoints)
    {
        e.word_asked = start - 100ms;
        e.finished = start - 3s;
    }
    auto p = steady();
    p.listing_asked = start - 3s;
    p.ttl_asked = start;
    const auto listed_by = [&]() -> std::optional<std::size_t>
    {
        for (const auto& a : make_plan(endpoints, p, start).asks)
            if (a.what == question::listing)
                return a.endpoint;
        return std::nullopt;
    };

    CHECK(listed_by() == 1);

    endpoints[1].failed = true;
    CHECK(listed_by() == 2);

    endpoints[2].in_flight = true;
    CHECK(listed_by() == 0);

    endpoints[0].finished = start;
    endpoints[0].latency = 1ms;
    CHECK(listed_by() == 1);

    p.listing_asked = start - 500ms;
    CHECK_FALSE(listed_by());
}

TEST_CASE("a burst goes to the members in focus; the others are asked as ever")
{
    simulation s(burst({"a"}));
    const auto focus = s.add("a", 2ms);
    const auto other = s.add("b", 2ms);
    const auto seed = s.add("", 2ms);

    s.run(10s);

    CHECK(s.count(focus, question::word) >= 180);
    CHECK(s.count(focus, question::word) <= 201);
    CHECK(s.count(other, question::word) <= 11);
    CHECK(s.count(seed, question::word) == 0);
    CHECK(s.count(question::listing) >= 180);
    CHECK(s.count(question::listing) <= 201);
    CHECK(s.count(question::ttl) == 0);
}

TEST_CASE("without a burst the focus changes nothing")
{
    auto p = steady();
    p.focus = {"a"};
    simulation s(p);
    s.add("a", 2ms);
    s.add("b", 2ms);

    s.run(10s);

    CHECK(s.count(0, question::word) <= 11);
    CHECK(s.count(1, question::word) <= 11);
}

TEST_CASE("a slow member is asked no sooner than four times its latency after its answer")
{
    // The simulation checks the spacing of each ask; here, that it is the spacing which counts.
    simulation s(burst({"a"}));
    const auto slow = s.add("a", 100ms);
    s.add("b", 2ms);

    s.run(10s);

    CHECK(s.count(slow) >= 18);
    CHECK(s.count(slow) <= 20);
}

TEST_CASE("while listings fail, members are asked for their claim instead of their word")
{
    auto p = burst({"a"});
    p.lock_doubtful = true;
    simulation s(p);
    s.add("a", 2ms);
    s.add("b", 2ms);

    s.run(5s);

    CHECK(s.count(question::word) == 0);
    CHECK(s.count(0, question::claim) >= 80);
    CHECK(s.count(1, question::claim) >= 4);
    CHECK(s.count(question::listing) >= 80);
}

TEST_CASE("the only member left is asked for its word and for the listing alike")
{
    for (const auto latency : {2ms, 10ms, 30ms, 200ms})
    {
        CAPTURE(latency.count());
        simulation s(burst({"a"}));
        s.add("a", latency);

        s.run(10s);

        CHECK(s.count(question::word) >= 4);
        CHECK(s.count(question::listing) >= 4);
    }
}

TEST_CASE("the only member that answers is asked for both, beside one that hangs or refuses")
{
    for (const clock::duration dead : {clock::duration(1ms), clock::duration(2s)})
    {
        CAPTURE(dead.count());
        simulation s(burst({"a"}));
        const auto alive = s.add("a", 30ms);
        s.add("b", dead, true);

        s.run(10s);

        CHECK(s.count(alive, question::word) >= 10);
        CHECK(s.count(alive, question::listing) >= 10);
    }
}

TEST_CASE("the ttl is asked for every thirty seconds, also where there is one member only")
{
    simulation s(steady());
    s.add("a", 5ms);

    s.run(61s);

    CHECK(s.count(question::ttl) >= 2);
    CHECK(s.count(question::ttl) <= 3);
}

TEST_CASE("a plan without endpoints asks nobody and comes again")
{
    const auto plan = make_plan({}, steady(), start);

    CHECK(plan.asks.empty());
    CHECK(plan.next > start);
}

TEST_CASE("one slow answer silences the member that matters for one interval at the most")
{
    auto slow = endpoint("a");
    slow.latency = 1800ms;
    slow.finished = start;
    slow.word_asked = start - 1800ms;
    auto p = burst({"a"});
    p.listing_asked = start + 1s;

    CHECK(make_plan({slow}, p, start + 900ms).asks.empty());
    REQUIRE(make_plan({slow}, p, start + 1s).asks.size() == 1);
}

TEST_CASE("beside a dead member neither the words nor the listings of the others starve")
{
    struct
    {
        const char* name;
        pace rhythm;
        clock::duration latency;
    } const rows[] = {
        {"calm, slow answers", steady(), 250ms},
        {"a burst towards the other one", burst({"b"}), 12ms},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        simulation s(row.rhythm);
        const auto a = s.add("a", row.latency);
        const auto b = s.add("b", row.latency);
        s.add("c", 2s, true);

        s.run(20s);

        CHECK(s.count(a, question::word) >= 8);
        CHECK(s.count(b, question::word) >= 8);
        CHECK(s.count(question::listing) >= 8);
    }
}
