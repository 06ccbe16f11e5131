// SPDX-License-Identifier: PostgreSQL
#include "health/lock.hpp"

#include "tests/support/evidence_builder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>

using namespace rolegate::health;
using namespace rolegate::support;
using kind = lock_belief::kind;

namespace
{

const policy rules{};

struct told
{
    std::string holder; // "" = the key is absent
    std::chrono::milliseconds seen;
    std::chrono::milliseconds since;
};

lock_report report(const told& t)
{
    lock_report r;
    for (const char* name : {"a", "b", "c"})
    {
        listed_member m;
        m.name = name;
        m.holds_lock = t.holder == name;
        r.listing.members.push_back(m);
    }
    r.seen = story_begins + t.seen;
    r.since = story_begins + t.since;
    return r;
}

std::string text_of(const lock_report& r)
{
    const auto* holder = r.listing.leader();
    return holder ? holder->name : "none";
}

std::string text_of(const lock_belief& l)
{
    return l.what == kind::held ? l.holder : l.what == kind::none ? "none" : "unknown";
}

} // namespace

TEST_SUITE_BEGIN("health/lock");

TEST_CASE("without a fresh report the lock is unknown")
{
    evidence seen;
    lock_belief before;
    before.what = kind::held;
    before.holder = "a";

    CHECK(believe_lock(seen, before, rules, story_begins).what == kind::unknown);

    seen.reports["x"] = report({"a", 0ms, 0ms});
    CHECK(believe_lock(seen, before, rules, story_begins + 5s).what == kind::held);

    const auto late = believe_lock(seen, before, rules, story_begins + 5001ms);
    CHECK(late.what == kind::unknown);
    CHECK(late.holder == "");
    CHECK(late.since == story_begins + 5001ms);
    CHECK(listing_behind(seen, late) == nullptr);
}

TEST_CASE("a belief names its source, its age and its beginning")
{
    evidence seen;
    seen.reports["x"] = report({"a", 100ms, 100ms});
    seen.reports["y"] = report({"a", 300ms, 200ms});

    const auto first = believe_lock(seen, {}, rules, story_begins + 400ms);
    CHECK(first.what == kind::held);
    CHECK(first.holder == "a");
    CHECK(std::string_view(first.source) == "rest");
    CHECK(first.reporter == "y");
    CHECK_FALSE(first.ends);
    CHECK_FALSE(first.by_lease);
    CHECK(first.seen == story_begins + 300ms);
    CHECK(first.since == story_begins + 400ms);
    CHECK(listing_behind(seen, first) == &seen.reports["y"].listing);

    const auto second = believe_lock(seen, first, rules, story_begins + 500ms);
    CHECK(second.since == first.since);

    seen.reports["x"] = report({"b", 600ms, 600ms});
    const auto third = believe_lock(seen, second, rules, story_begins + 700ms);
    CHECK(third.holder == "b");
    CHECK(third.since == story_begins + 700ms);
}

TEST_CASE("of several reports the promotion wins, else the claim that came up last")
{
    const struct
    {
        const char* name;
        told x, y;
        std::uint32_t timeline_a, timeline_b;
        const char* expected;
    } rows[] = {
        {"they agree", {"a", 9ms, 1ms}, {"a", 8ms, 2ms}, 1, 1, "a"},
        {"nobody holds it", {"", 9ms, 1ms}, {"", 8ms, 2ms}, 1, 1, "none"},
        {"y has seen the release", {"a", 8ms, 1ms}, {"", 9ms, 9ms}, 1, 1, "none"},
        {"x repeats an old view after the release", {"a", 20ms, 1ms}, {"", 9ms, 9ms}, 1, 1, "none"},
        {"y has seen the successor", {"", 8ms, 7ms}, {"b", 9ms, 9ms}, 1, 1, "b"},
        {"x has not seen the gap", {"a", 20ms, 1ms}, {"b", 9ms, 9ms}, 1, 1, "b"},
        {"x comes late with an old view, b is promoted",
         {"a", 20ms, 20ms},
         {"b", 9ms, 9ms},
         1,
         2,
         "b"},
        {"the same moment: the later answer", {"a", 9ms, 5ms}, {"b", 8ms, 5ms}, 1, 1, "a"},
        {"released after a promotion", {"b", 9ms, 5ms}, {"", 12ms, 12ms}, 1, 2, "none"},
        {"one report is too old to count", {"b", -6000ms, -6000ms}, {"a", 0ms, 0ms}, 1, 2, "a"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        for (const bool swapped : {false, true})
        {
            CAPTURE(swapped);
            evidence seen;
            seen.reports[swapped ? "2" : "1"] = report(row.x);
            seen.reports[swapped ? "1" : "2"] = report(row.y);
            seen.words["a"].word = primary(row.timeline_a);
            seen.words["b"].word = primary(row.timeline_b);

            const auto belief = believe_lock(seen, {}, rules, story_begins + 20ms);

            CHECK(text_of(belief) == row.expected);
        }
    }
}

TEST_CASE("what speaks for one holder is put together before it is weighed")
{
    const struct
    {
        const char* name;
        told x, y, z;
        const char* expected;
    } rows[] = {
        {"a got it back; z has never seen b in between, and answers last",
         {"a", 10ms, 10ms},
         {"b", 9ms, 5ms},
         {"a", 12ms, 1ms},
         "a"},
        {"a got it back; z has never seen the gap, and answers last",
         {"a", 10ms, 10ms},
         {"", 9ms, 5ms},
         {"a", 12ms, 1ms},
         "a"},
        {"released again; z has never seen a in between, and answers last",
         {"", 10ms, 10ms},
         {"a", 9ms, 5ms},
         {"", 12ms, 1ms},
         "none"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        evidence seen;
        seen.reports["x"] = report(row.x);
        seen.reports["y"] = report(row.y);
        seen.reports["z"] = report(row.z);

        const auto belief = believe_lock(seen, {}, rules, story_begins + 20ms);

        CHECK(text_of(belief) == row.expected);
        CHECK(belief.seen == story_begins + 12ms);
        CHECK(belief.reporter == "z");
    }
}

TEST_CASE("the claim that came up last is not ignored unless a promotion has overtaken it")
{
    std::mt19937_64 random(1);
    const auto below = [&random](std::uint64_t n) { return static_cast<int>(random() % n); };
    const char* holders[] = {"", "a", "b", "c"};
    for (int round = 0; round < 5000; ++round)
    {
        CAPTURE(round);
        std::array<lock_report, 4> reports;
        for (std::size_t i = 0; i < reports.size(); ++i)
        {
            const auto since = (below(12) * 4 + static_cast<int>(i)) * 1ms; // none like another
            reports[i] = report({holders[below(4)], since + below(10) * 1ms, since});
        }
        std::map<std::string, int> timelines;
        evidence seen;
        for (const char* name : {"a", "b", "c"})
        {
            timelines[name] = 1 + below(3);
            seen.words[name].word = primary(static_cast<std::uint32_t>(timelines[name]));
        }
        for (std::size_t i = 0; i < reports.size(); ++i)
            seen.reports[std::string(1, static_cast<char>('w' + i))] = reports[i];

        const auto belief = text_of(believe_lock(seen, {}, rules, story_begins + 100ms));

        const auto newest = text_of(*std::ranges::max_element(reports, {}, &lock_report::since));
        const bool overtaken = std::ranges::any_of(
            reports,
            [&](const lock_report& r)
            {
                const auto* holder = r.listing.leader();
                return holder && newest != "none" && timelines[holder->name] > timelines[newest];
            }
        );
        CHECK((belief == newest || overtaken));
        if (belief != "none" && newest != "none")
            CHECK(timelines[belief] >= timelines[newest]);

        // The reporters' addresses do not matter.
        std::ranges::shuffle(reports, random);
        evidence renamed = seen;
        for (std::size_t i = 0; i < reports.size(); ++i)
            renamed.reports[std::string(1, static_cast<char>('w' + i))] = reports[i];
        CHECK(text_of(believe_lock(renamed, {}, rules, story_begins + 100ms)) == belief);
    }
}
