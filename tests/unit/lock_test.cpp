// SPDX-License-Identifier: PostgreSQL
#include "health/lock.hpp"

#include "tests/support/evidence_builder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>

using namespace rolegate::health;
using namespace rolegate::support;
using kind = lock_belief::kind;

namespace
{

constexpr auto fresh_for = 5000ms;

struct told
{
    std::string holder;  // "" = the key is absent
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

std::string text_of(const lock_belief& l)
{
    return l.what == kind::held ? l.holder : l.what == kind::none ? "none" : "unknown";
}

} // namespace

TEST_SUITE_BEGIN("health/lock");

TEST_CASE("without a fresh report the lock is unknown")
{
    evidence seen;
    lock_belief before{kind::held, "a", "x", story_begins, story_begins};

    CHECK(believe_lock(seen, before, fresh_for, story_begins).what == kind::unknown);

    seen.reports["x"] = report({"a", 0ms, 0ms});
    CHECK(believe_lock(seen, before, fresh_for, story_begins + 5s).what == kind::held);

    const auto late = believe_lock(seen, before, fresh_for, story_begins + 5001ms);
    CHECK(late.what == kind::unknown);
    CHECK(late.holder == "");
    CHECK(late.since == story_begins + 5001ms);
    CHECK(report_behind(seen, late) == nullptr);
}

TEST_CASE("a belief names its source, its age and its beginning")
{
    evidence seen;
    seen.reports["x"] = report({"a", 100ms, 100ms});
    seen.reports["y"] = report({"a", 300ms, 200ms});

    const auto first = believe_lock(seen, {}, fresh_for, story_begins + 400ms);
    CHECK(first.what == kind::held);
    CHECK(first.holder == "a");
    CHECK(first.source == "y");
    CHECK(first.seen == story_begins + 300ms);
    CHECK(first.since == story_begins + 400ms);
    CHECK(report_behind(seen, first) == &seen.reports["y"]);

    const auto second = believe_lock(seen, first, fresh_for, story_begins + 500ms);
    CHECK(second.since == first.since);

    seen.reports["x"] = report({"b", 600ms, 600ms});
    const auto third = believe_lock(seen, second, fresh_for, story_begins + 700ms);
    CHECK(third.holder == "b");
    CHECK(third.since == story_begins + 700ms);
}

TEST_CASE("of several reports the promotion wins, else the claim that came up last")
{
    const struct
    {
        const char* name;
        told x, y;
        std::optional<std::uint32_t> timeline_a, timeline_b;
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
        {"x comes late with an old view, a is not heard of",
         {"a", 20ms, 20ms},
         {"b", 9ms, 9ms},
         {},
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
            seen.words["a"].word = primary();
            seen.words["a"].word->timeline = row.timeline_a;
            seen.words["b"].word = primary();
            seen.words["b"].word->timeline = row.timeline_b;

            const auto belief = believe_lock(seen, {}, fresh_for, story_begins + 20ms);

            CHECK(text_of(belief) == row.expected);
        }
    }
}

TEST_CASE("the reporters' addresses do not matter")
{
    // Each of the three outranks another one: a is promoted over b, the release came after a's
    // claim, b's claim after the release.
    const std::array<told, 3> told_by{{{"a", 1ms, 1ms}, {"", 2ms, 2ms}, {"b", 3ms, 3ms}}};
    std::array<int, 3> order{0, 1, 2};
    std::string first;

    do
    {
        evidence seen;
        for (std::size_t i = 0; i < order.size(); ++i)
            seen.reports[std::string(1, static_cast<char>('x' + order[i]))] = report(told_by[i]);
        seen.words["a"].word = primary(2);
        seen.words["b"].word = replica(1);

        const auto belief = text_of(believe_lock(seen, {}, fresh_for, story_begins + 10ms));

        CAPTURE(order[0]);
        CAPTURE(order[1]);
        CAPTURE(order[2]);
        CHECK(belief != "a");
        if (first.empty())
            first = belief;
        CHECK(belief == first);
    } while (std::ranges::next_permutation(order).found);
}
