// SPDX-License-Identifier: PostgreSQL
//
// Who may be written to and read from by PostgreSQL's own word over SQL.
#include "health/decide.hpp"

#include "tests/support/evidence_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace rolegate::support;
using state = member_state;
using role = member_role;

namespace
{

struct row
{
    const char* name;
    void (*then)(story&);
    const char* write_a;
    const char* write_b;
};

// Every row starts where the connected DCS names a, which is open for writes on timeline 1.
template <std::size_t N> void check_rows(const row (&rows)[N])
{
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        story s;
        s.settle_with_dcs();
        REQUIRE(write_of(s.believed, "a") == "open lock-and-word");

        row.then(s);
        s.decide();

        CAPTURE(s.believed.cause);
        CHECK(write_of(s.believed, "a") == row.write_a);
        CHECK(write_of(s.believed, "b") == row.write_b);
        const auto again = decide(s.seen, s.rules, s.believed, s.now);
        CHECK(again.generation == s.believed.generation);
    }
}

sql_word foreign_primary()
{
    sql_word w;
    w.in_recovery = false;
    w.timeline = 9;
    w.database_system_identifier = "7999999999999999999";
    return w;
}

sql_word primary_without_timeline()
{
    sql_word w;
    w.in_recovery = false;
    return w;
}

} // namespace

TEST_SUITE_BEGIN("health/decide");

TEST_CASE("a holder whose Patroni is silent is open by PostgreSQL's own word")
{
    const row rows[] = {
        {"REST silent, PostgreSQL says primary",
         [](story& s) { s.dcs("a").silent("a").sql("a", false); },
         "open degraded",
         "closed lock-elsewhere"},
        {"REST silent, PostgreSQL says primary, for hours",
         [](story& s) { s.silent("a").believe().after(2h).dcs("a").sql("a", false); },
         "open degraded",
         "closed lock-elsewhere"},
        {"REST silent, PostgreSQL has come back in recovery",
         [](story& s) { s.dcs("a").silent("a").sql("a", true); },
         "keep holder-not-ready",
         "closed lock-elsewhere"},
        {"REST and SQL silent",
         [](story& s)
         { s.dcs("a").silent("a").sql("a", false).believe().after(1s).sql_silent("a"); },
         "open degraded",
         "closed lock-elsewhere"},
        {"REST and SQL silent after PostgreSQL has said that it is in recovery",
         [](story& s)
         { s.dcs("a").silent("a").sql("a", true).believe().after(1s).sql_silent("a").dcs("a"); },
         "keep holder-silent",
         "closed lock-elsewhere"},
        {"REST silent, PostgreSQL says primary, and the lock goes",
         [](story& s)
         { s.silent("a").sql("a", false).believe().after(1s).dcs_says_nobody().sql("a", false); },
         "closed no-lock",
         "closed no-lock"},
        {"REST silent, PostgreSQL says primary, and b has the lock",
         [](story& s) { s.silent("a").dcs("b").sql("a", false); },
         "closed lock-elsewhere",
         "keep holder-not-ready"},
        {"REST silent, PostgreSQL says primary, the lease runs and then ends",
         [](story& s)
         {
             s.silent("a")
                 .sql("a", false)
                 .lease(20s)
                 .dcs_lost_at()
                 .after(19s)
                 .sql("a", false)
                 .decide();
             REQUIRE(write_of(s.believed, "a") == "open degraded");
             s.after(1s).sql("a", false);
         },
         "closed lease-ended",
         "closed lease-ended"},
        {"b has the lock, its Patroni is silent, and PostgreSQL says primary since",
         [](story& s) { s.dcs("b").silent("b").believe().after(100ms).sql("b", false, 2); },
         "closed lock-elsewhere",
         "open degraded"},
    };
    check_rows(rows);

    story s;
    s.settle_with_dcs().dcs("a").silent("a", "timed out").sql("a", false).decide();
    CHECK(
        s.believed.find("a")->write.reason ==
        "holds the leader lock and is a primary, says PostgreSQL; its REST API is silent: timed out"
    );
    CHECK(s.believed.find("a")->sql_seen == s.now);
    CHECK(s.believed.find("a")->sql_in_recovery == false);
    CHECK(s.believed.find("a")->error == "timed out");
    CHECK(s.believed.find("a")->sql_error == "");
}

TEST_CASE("right after the lock has moved, PostgreSQL's word shows the end of recovery first")
{
    const row rows[] = {
        {"in recovery still",
         [](story& s) { s.dcs("b").believe().after(50ms).sql("b", true); },
         "closed lock-elsewhere",
         "keep holder-not-ready"},
        {"out of recovery, newer than what Patroni said",
         [](story& s) { s.dcs("b").says("b", replica()).believe().after(50ms).sql("b", false, 2); },
         "closed lock-elsewhere",
         "open lock-and-word"},
        {"out of recovery, and Patroni says so, too",
         [](story& s)
         { s.dcs("b").believe().after(50ms).sql("b", false, 2).after(5ms).says("b", primary(2)); },
         "closed lock-elsewhere",
         "open lock-and-word"},
        {"Patroni's word is newer than PostgreSQL's: it counts",
         [](story& s)
         { s.dcs("b").believe().after(50ms).sql("b", true).after(5ms).says("b", primary(2)); },
         "closed lock-elsewhere",
         "open lock-and-word"},
        {"PostgreSQL's word is newer, and it is in recovery: it counts",
         [](story& s)
         { s.dcs("b").believe().after(50ms).says("b", primary(2)).after(5ms).sql("b", true); },
         "closed lock-elsewhere",
         "keep holder-not-ready"},
        {"out of recovery before it had the lock: that tells nothing about now",
         [](story& s) { s.sql("b", false, 2).believe().after(50ms).dcs("b"); },
         "closed lock-elsewhere",
         "keep word-too-old"},
        {"and again, now that it has the lock",
         [](story& s)
         {
             s.sql("b", false, 2).believe().after(50ms).dcs("b").decide();
             s.after(5ms).sql("b", false, 2);
         },
         "closed lock-elsewhere",
         "open lock-and-word"},
        {"the same without a DCS: the lock is known by REST",
         [](story& s)
         {
             s.seen.dcs.reset();
             s.lock("b").believe().after(50ms).sql("b", false, 2);
         },
         "closed lock-elsewhere",
         "open lock-and-word"},
    };
    check_rows(rows);
}

TEST_CASE("PostgreSQL's word alone makes no primary")
{
    const row rows[] = {
        {"b says primary, a has the lock",
         [](story& s) { s.dcs("a").sql("b", false, 2); },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"nobody has the lock, a says primary",
         [](story& s) { s.dcs_says_nobody().sql("a", false); },
         "closed no-lock",
         "closed no-lock"},
        {"nobody can say who has the lock, a says primary",
         [](story& s) { s.dcs_lost_at().silent("a").after(21s).sql("a", false); },
         "closed lease-ended",
         "closed lease-ended"},
        {"failsafe mode by the last word of a Patroni that has died",
         [](story& s)
         {
             s.failsafe_configured().dcs_says_nobody().says("a", failsafe_primary()).decide();
             REQUIRE(write_of(s.believed, "a") == "open failsafe");
             s.after(1s).dcs_says_nobody().silent("a").sql("a", false);
         },
         "closed no-lock",
         "closed no-lock"},
        {"failsafe mode, and PostgreSQL has come back in recovery",
         [](story& s)
         {
             s.failsafe_configured().dcs_says_nobody().says("a", failsafe_primary()).decide();
             s.after(1s).dcs_says_nobody().sql("a", true);
         },
         "closed no-lock",
         "closed no-lock"},
        {"/primary 200, and then PostgreSQL in recovery",
         [](story& s)
         {
             s.dcs_lost_at().after(21s).claims("a", primary()).decide();
             s.after(10ms).sql("a", true);
         },
         "keep lock-unknown",
         "closed lock-unknown"},
        {"the leader of a standby cluster, in recovery over SQL as well",
         [](story& s)
         {
             s.dcs("a").says("a", word(role::standby_leader, state::running)).after(1ms);
             s.sql("a", true);
         },
         "keep holder-not-ready",
         "closed lock-elsewhere"},
    };
    check_rows(rows);
}

TEST_CASE("timelines and system identifiers that PostgreSQL tells count like Patroni's")
{
    const row rows[] = {
        {"b has the lock on an older timeline",
         [](story& s)
         {
             s.says("a", primary(5)).decide();
             s.after(1s).dcs("b").silent("b").after(1ms).sql("b", false, 4);
         },
         "closed lock-elsewhere",
         "closed old-timeline"},
        {"a itself on an older timeline: restored from a backup",
         [](story& s)
         { s.says("a", primary(5)).believe().after(1s).silent("a").dcs("a").sql("a", false, 4); },
         "closed old-timeline",
         "closed lock-elsewhere"},
        {"another system",
         [](story& s) { s.dcs("a").sql("a", foreign_primary()); },
         "closed other-system",
         "closed lock-elsewhere"},
        {"no timeline, and open until now",
         [](story& s) { s.dcs("a").silent("a").sql("a", primary_without_timeline()); },
         "open degraded",
         "closed lock-elsewhere"},
        {"no timeline, Patroni's is known",
         [](story& s)
         {
             s.dcs("b").says("b", replica()).believe().after(1ms);
             s.sql("b", primary_without_timeline());
         },
         "closed lock-elsewhere",
         "open lock-and-word"},
        {"no timeline, and nobody else tells it",
         [](story& s)
         {
             s.seen.words.erase("b");
             s.dcs("b").believe().after(1ms).sql("b", primary_without_timeline());
         },
         "closed lock-elsewhere",
         "keep timeline-unknown"},
    };
    check_rows(rows);

    story s;
    s.settle_with_dcs().dcs("b").decide();
    s.after(1ms).sql("b", false, 7).decide();
    CHECK(s.believed.highest_timeline == 7);
    s.after(1s).dcs("a").decide();
    s.after(1ms).says("a", primary(6)).decide();
    CHECK(write_of(s.believed, "a") == "closed old-timeline");
}

TEST_CASE("a primary that has refused clients is open again by PostgreSQL's newer word, too")
{
    const row rows[] = {
        {"refused, no newer word",
         [](story& s) { s.dcs("a").sql("a", false).after(1ms).refuses("a"); },
         "keep refuses",
         "closed lock-elsewhere"},
        {"refused, then PostgreSQL says primary",
         [](story& s) { s.dcs("a").refuses("a").after(1ms).sql("a", false); },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"refused, then PostgreSQL says that it is in recovery",
         [](story& s) { s.dcs("a").refuses("a").after(1ms).sql("a", true); },
         "keep holder-not-ready",
         "closed lock-elsewhere"},
        {"refused, asked before and answered after",
         [](story& s)
         {
             s.dcs("a").after(1ms).sql("a", false).after(1ms).refuses("a").after(1ms);
             s.seen.sql["a"].seen = s.now;
         },
         "keep refuses",
         "closed lock-elsewhere"},
        {"refused, REST silent, then PostgreSQL says primary",
         [](story& s) { s.dcs("a").silent("a").refuses("a").believe().after(1ms).sql("a", false); },
         "open degraded",
         "closed lock-elsewhere"},
        {"refused, REST and SQL silent",
         [](story& s) { s.dcs("a").silent("a").sql_silent("a").refuses("a"); },
         "keep refuses",
         "closed lock-elsewhere"},
    };
    check_rows(rows);
}

TEST_CASE("a standby whose Patroni is silent is open for reads by PostgreSQL's own word")
{
    story s;
    s.settle_with_dcs().dcs("a");

    SUBCASE("in recovery")
    {
        s.silent("b").sql("b", true).decide();
        CHECK(read_of(s.believed, "b") == "open running-replica");
    }
    SUBCASE("tagged noloadbalance by Patroni's last word")
    {
        auto w = replica();
        w.noloadbalance = true;
        s.says("b", w).after(1ms).silent("b").sql("b", true).decide();
        CHECK(read_of(s.believed, "b") == "keep noloadbalance");
    }
    SUBCASE("tagged noloadbalance by its key, and Patroni was never heard")
    {
        s.seen.words.erase("b");
        s.listed("b").noloadbalance = true;
        s.dcs("a").sql("b", true).decide();
        CHECK(read_of(s.believed, "b") == "keep noloadbalance");
    }
    SUBCASE("out of recovery: somebody has promoted it")
    {
        s.silent("b").sql("b", false, 2).decide();
        CHECK(read_of(s.believed, "b") == "closed is-primary");
    }
    SUBCASE("of another system")
    {
        sql_word w;
        w.database_system_identifier = "7999999999999999999";
        s.silent("b").sql("b", w).decide();
        CHECK(read_of(s.believed, "b") == "closed other-system");
    }
}
