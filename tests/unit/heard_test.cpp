// SPDX-License-Identifier: PostgreSQL
#include "health/heard.hpp"

#include "tests/support/evidence_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace rolegate::support;
using state = member_state;
using role = member_role;

namespace
{

constexpr auto fresh_for = 5000ms;

// "primary running 2 patroni": role, state, timeline, and who says so; "" = nobody.
std::string voice_of_a(const story& s)
{
    const auto voices = hear(s.seen, fresh_for, s.now);
    const auto it = voices.find("a");
    if (it == voices.end())
        return "";
    const auto& w = it->second.word;
    return w.role_text + " " + w.state_text + " " +
           (w.timeline ? std::to_string(*w.timeline) : "?") +
           (it->second.patroni ? " patroni" : " sql");
}

} // namespace

TEST_SUITE_BEGIN("health/heard");

TEST_CASE("of Patroni's word and PostgreSQL's own the newer one says what the member is")
{
    const struct
    {
        const char* name;
        void (*then)(story&);
        const char* voice;
    } rows[] = {
        {"nobody has said anything", [](story&) {}, ""},
        {"Patroni alone", [](story& s) { s.says("a", primary()); }, "primary running 1 patroni"},
        {"Patroni, too long ago", [](story& s) { s.says("a", primary()).after(5001ms); }, ""},
        {"Patroni, just not too long ago",
         [](story& s) { s.says("a", primary()).after(5s); },
         "primary running 1 patroni"},
        {"Patroni does not answer any more",
         [](story& s) { s.says("a", primary()).silent("a"); },
         ""},
        {"SQL alone", [](story& s) { s.sql("a", false, 3); }, "primary running 3 sql"},
        {"SQL alone, a standby: it does not tell its timeline",
         [](story& s) { s.sql("a", true); },
         "replica running ? sql"},
        {"SQL, too long ago", [](story& s) { s.sql("a", false).after(5001ms); }, ""},
        {"SQL does not answer any more", [](story& s) { s.sql("a", false).sql_silent("a"); }, ""},
        {"SQL was never answered", [](story& s) { s.sql_silent("a"); }, ""},
        {"Patroni, then out of recovery: the promotion is seen over SQL first",
         [](story& s) { s.says("a", replica()).after(10ms).sql("a", false, 2); },
         "primary running 2 patroni"},
        {"Patroni, then in recovery",
         [](story& s) { s.says("a", primary()).after(10ms).sql("a", true); },
         "replica running 1 patroni"},
        {"out of recovery, then Patroni",
         [](story& s) { s.sql("a", false, 2).after(10ms).says("a", replica()); },
         "replica running 1 patroni"},
        {"in recovery, then Patroni",
         [](story& s) { s.sql("a", true).after(10ms).says("a", primary(2)); },
         "primary running 2 patroni"},
        {"asked in the same moment: Patroni",
         [](story& s) { s.says("a", primary()).sql("a", true); },
         "primary running 1 patroni"},
        {"SQL was asked before Patroni, and answered after it",
         [](story& s)
         {
             s.sql("a", true).after(10ms).says("a", primary(2)).after(10ms);
             s.seen.sql["a"].seen = s.now;
         },
         "primary running 2 patroni"},
        {"it answers SQL, so it runs, whatever Patroni could not find out",
         [](story& s)
         { s.says("a", word(role::primary, state::unknown)).after(10ms).sql("a", false); },
         "primary running 1 patroni"},
        {"Patroni says stopping, SQL is older",
         [](story& s)
         { s.sql("a", false).after(10ms).says("a", word(role::primary, state::stopping)); },
         "primary stopping 1 patroni"},
        {"Patroni has died, SQL answers",
         [](story& s) { s.says("a", primary(4)).silent("a").after(10ms).sql("a", false, 4); },
         "primary running 4 sql"},
        {"Patroni has died after SQL was asked",
         [](story& s) { s.says("a", primary()).after(1ms).sql("a", false).after(1s).silent("a"); },
         "primary running 1 sql"},
        {"Patroni is heard no more, SQL answers",
         [](story& s) { s.says("a", replica()).after(6s).sql("a", false, 2); },
         "primary running 2 sql"},
        {"the leader of a standby cluster is in recovery like any standby",
         [](story& s)
         { s.says("a", word(role::standby_leader, state::running)).after(10ms).sql("a", true); },
         "standby_leader running 1 patroni"},
        {"a standby cluster that was promoted",
         [](story& s)
         {
             s.says("a", word(role::standby_leader, state::running)).after(10ms);
             s.sql("a", false, 2);
         },
         "primary running 2 patroni"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        story s;

        row.then(s);

        CHECK(voice_of_a(s) == row.voice);
    }
}

TEST_CASE("a voice is as old as the newer of the two words")
{
    story s;
    s.says("a", primary()).after(1s).sql("a", false);
    const auto sql_at = s.now;
    s.after(1s);

    const auto later = hear(s.seen, fresh_for, s.now).at("a");
    CHECK(later.asked == sql_at);
    CHECK(later.seen == sql_at);

    s.says("a", primary());
    const auto latest = hear(s.seen, fresh_for, s.now).at("a");
    CHECK(latest.asked == s.now);
    CHECK(latest.seen == s.now);
}

TEST_CASE("what Patroni said of tags and pause outlives it, failsafe mode does not")
{
    auto w = failsafe_primary();
    w.noloadbalance = true;
    w.pause = true;
    w.patroni_version = "4.0.5";
    story s;
    s.says("a", w).after(1s).silent("a").sql("a", false);

    const auto said = hear(s.seen, fresh_for, s.now).at("a").word;

    CHECK(said.noloadbalance);
    CHECK(said.pause);
    CHECK(said.patroni_version == "4.0.5");
    CHECK(said.database_system_identifier == our_system);
    // Only a Patroni that lives can be asked by the others whether its primary may go on.
    CHECK_FALSE(said.failsafe_mode_is_active);
}

TEST_CASE("each member has its own voice")
{
    story s;
    s.says("a", primary()).sql("b", true).says("c", replica()).silent("c");

    const auto voices = hear(s.seen, fresh_for, s.now);

    CHECK(voices.size() == 2);
    CHECK(voices.contains("a"));
    CHECK(voices.contains("b"));
}

TEST_CASE("an answer repeats the last one when nothing can follow from it")
{
    const auto begin = time_point(100s);
    const auto good = [&begin]
    {
        word_report r;
        r.word = primary();
        r.word->lsn = 1000;
        r.asked = begin;
        r.seen = begin + 10ms;
        return r;
    };
    const auto later = [&good]
    {
        auto r = good();
        r.word->lsn = 2000;
        r.asked += 1s;
        r.seen += 1s;
        return r;
    };
    CHECK(repeats(good(), later(), 2s));

    auto other = later();
    other.word->timeline = 2;
    CHECK(!repeats(good(), other, 2s));
    CHECK(!repeats(good(), later(), 999ms)); // the verdict may have changed with its age
    CHECK(!repeats({}, later(), 2s));

    auto failed = later();
    failed.error = "connection refused";
    CHECK(!repeats(good(), failed, 2s));
    CHECK(!repeats(failed, later(), 2s));

    // What was said before the refusal does not count; this is its first word since.
    auto doubted = later();
    doubted.refusals.refused(begin + 500ms);
    CHECK(!repeats(good(), doubted, 2s));
    auto again = doubted;
    again.seen += 1s;
    CHECK(repeats(doubted, again, 2s));
}

TEST_SUITE_END();
