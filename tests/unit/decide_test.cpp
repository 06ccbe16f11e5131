// SPDX-License-Identifier: PostgreSQL
//
// Who may be written to: the decision table, row by row. What timelines and system identifiers
// forbid stands in decide_history_test.cpp, who may be read from in decide_replica_test.cpp.
#include "health/decide.hpp"

#include "proxy/route.hpp"
#include "tests/support/evidence_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace rolegate::support;
using rolegate::proxy::open_members;
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

// Every row starts where a holds the lock on timeline 1 and is open for writes.
template <std::size_t N> void check_rows(const row (&rows)[N])
{
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        story s;
        s.settle();
        REQUIRE(write_of(s.believed, "a") == "open lock-and-word");

        row.then(s);
        s.decide();

        CHECK(write_of(s.believed, "a") == row.write_a);
        CHECK(write_of(s.believed, "b") == row.write_b);
        CHECK(write_of(s.believed, "c").starts_with("closed "));
    }
}

// The primary that a new session would get; "" = none.
std::string routed(const story& s, rolegate::proxy::destination to = write_port)
{
    const auto open = open_members(to, s.believed, s.now);
    return open.empty() ? "" : open.front();
}

} // namespace

TEST_SUITE_BEGIN("health/decide");

TEST_CASE("the lock's holder is open by its own word alone, and kept while it is not ready")
{
    const row rows[] = {
        {"running primary",
         [](story& s) { s.lock("a").says("a", primary()); },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"in recovery: it is promoted, or is no primary any more",
         [](story& s) { s.lock("a").says("a", replica()); },
         "keep holder-not-ready",
         "closed lock-elsewhere"},
        {"starting after a crash",
         [](story& s) { s.lock("a").says("a", word(role::primary, state::starting)); },
         "keep holder-not-ready",
         "closed lock-elsewhere"},
        {"stopping: the first step of a switchover",
         [](story& s) { s.lock("a").says("a", word(role::primary, state::stopping)); },
         "keep holder-not-ready",
         "closed lock-elsewhere"},
        {"stopped",
         [](story& s) { s.lock("a").says("a", word(role::primary, state::stopped)); },
         "keep holder-not-ready",
         "closed lock-elsewhere"},
        {"crashed",
         [](story& s) { s.lock("a").says("a", word(role::primary, state::crashed)); },
         "keep holder-not-ready",
         "closed lock-elsewhere"},
        {"killed, and Patroni has not noticed: state unknown",
         [](story& s) { s.lock("a").says("a", word(role::primary, state::unknown)); },
         "keep holder-not-ready",
         "closed lock-elsewhere"},
        {"promoted, but not finished: role unknown",
         [](story& s) { s.lock("a").says("a", word(role::unknown, state::running)); },
         "keep holder-not-ready",
         "closed lock-elsewhere"},
        {"leader of a standby cluster",
         [](story& s) { s.lock("a").says("a", word(role::standby_leader, state::running)); },
         "keep holder-not-ready",
         "closed lock-elsewhere"},
        {"REST silent, last heard as a running primary",
         [](story& s) { s.lock("a").silent("a"); },
         "open degraded",
         "closed lock-elsewhere"},
        {"not heard for longer than a word counts",
         [](story& s) { s.after(6s).lock("a"); },
         "open degraded",
         "closed lock-elsewhere"},
        {"REST silent, last heard stopping",
         [](story& s)
         {
             s.lock("a").says("a", word(role::primary, state::stopping)).decide();
             s.after(1s).lock("a").silent("a");
         },
         "keep holder-silent",
         "closed lock-elsewhere"},
        {"stopping, then running again on the same timeline",
         [](story& s)
         {
             s.lock("a").says("a", word(role::primary, state::stopping)).decide();
             s.after(1s).lock("a").says("a", primary());
         },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"REST silent, then back",
         [](story& s)
         {
             s.lock("a").silent("a").decide();
             s.after(1s).lock("a").says("a", primary());
         },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"it has refused clients since it spoke: killed, perhaps, and about to come back read-only",
         [](story& s) { s.lock("a").says("a", primary()).after(1ms).refuses("a"); },
         "keep refuses",
         "closed lock-elsewhere"},
        {"it has refused clients, and its REST API is silent",
         [](story& s) { s.lock("a").silent("a").refuses("a"); },
         "keep refuses",
         "closed lock-elsewhere"},
        {"it has refused clients, and says then that it is a running primary",
         [](story& s) { s.lock("a").refuses("a").after(1ms).says("a", primary()); },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"a second member says that it is a running primary on the same timeline",
         [](story& s) { s.lock("a").says("a", primary()).says("b", primary()); },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"a second member says that it is a running primary on a higher timeline",
         [](story& s) { s.lock("a").says("a", primary()).says("b", primary(2)); },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"failsafe mode is active, and the lock is its own",
         [](story& s) { s.lock("a").says("a", failsafe_primary()); },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"paused, and the lock is its own",
         [](story& s) { s.lock("a").says("a", paused_primary()); },
         "open lock-and-word",
         "closed lock-elsewhere"},
    };
    check_rows(rows);
}

TEST_CASE("without a lock only failsafe mode and pause leave a primary open")
{
    const row rows[] = {
        {"running primary",
         [](story& s) { s.no_lock().says("a", primary()); },
         "closed no-lock",
         "closed no-lock"},
        {"stopping",
         [](story& s) { s.no_lock().says("a", word(role::primary, state::stopping)); },
         "closed no-lock",
         "closed no-lock"},
        {"demoted",
         [](story& s) { s.no_lock().says("a", replica()); },
         "closed no-lock",
         "closed no-lock"},
        {"REST silent",
         [](story& s) { s.no_lock().silent("a"); },
         "closed no-lock",
         "closed no-lock"},
        {"REST silent for a while already, kept as degraded until now",
         [](story& s)
         {
             s.lock("a").silent("a").decide();
             s.after(20s).no_lock();
         },
         "closed no-lock",
         "closed no-lock"},
        {"running primary in failsafe mode",
         [](story& s) { s.no_lock().says("a", failsafe_primary()); },
         "open failsafe",
         "closed no-lock"},
        {"a replica that knows of failsafe mode is no primary",
         [](story& s)
         {
             auto w = replica();
             w.failsafe_mode_is_active = true;
             s.no_lock().says("a", w);
         },
         "closed no-lock",
         "closed no-lock"},
        {"failsafe mode, but stopping",
         [](story& s)
         {
             auto w = word(role::primary, state::stopping);
             w.failsafe_mode_is_active = true;
             s.no_lock().says("a", w);
         },
         "closed no-lock",
         "closed no-lock"},
        {"failsafe mode, then silent",
         [](story& s)
         {
             s.no_lock().says("a", failsafe_primary()).decide();
             s.after(1s).no_lock().silent("a");
         },
         "closed no-lock",
         "closed no-lock"},
        {"failsafe mode on both, b on a higher timeline",
         [](story& s) { s.no_lock().says("a", failsafe_primary()).says("b", failsafe_primary(2)); },
         "closed no-lock",
         "open failsafe"},
        {"failsafe mode on both, on the same timeline: nobody can tell",
         [](story& s) { s.no_lock().says("a", failsafe_primary()).says("b", failsafe_primary()); },
         "closed no-lock",
         "closed no-lock"},
        {"failsafe mode on a, b says that it is a primary without it",
         [](story& s) { s.no_lock().says("a", failsafe_primary()).says("b", primary(2)); },
         "open failsafe",
         "closed no-lock"},
        {"paused by its own word",
         [](story& s) { s.no_lock().says("a", paused_primary()); },
         "open paused",
         "closed no-lock"},
        {"paused by the listing",
         [](story& s)
         {
             s.next_listing.pause = true;
             s.no_lock().says("a", primary());
         },
         "open paused",
         "closed no-lock"},
        {"paused, but PostgreSQL has stopped",
         [](story& s)
         {
             s.next_listing.pause = true;
             s.no_lock().says("a", word(role::primary, state::stopped));
         },
         "closed no-lock",
         "closed no-lock"},
        {"paused, REST silent",
         [](story& s)
         {
             s.next_listing.pause = true;
             s.no_lock().silent("a");
         },
         "closed no-lock",
         "closed no-lock"},
        {"paused, a second primary on the same timeline: nobody can tell",
         [](story& s)
         {
             s.next_listing.pause = true;
             s.no_lock().says("a", primary()).says("b", primary());
         },
         "closed no-lock",
         "closed no-lock"},
        {"paused, a second primary on a higher timeline: pause opens nobody",
         [](story& s)
         {
             s.next_listing.pause = true;
             s.no_lock().says("a", primary()).says("b", primary(2));
         },
         "closed no-lock",
         "closed no-lock"},
        {"paused, but it was not open before",
         [](story& s)
         {
             s.lock("a").says("a", word(role::primary, state::stopping)).decide();
             s.next_listing.pause = true;
             s.after(1s).no_lock().says("a", primary());
         },
         "closed no-lock",
         "closed no-lock"},
    };
    check_rows(rows);
}

TEST_CASE("when another holds the lock, the old primary is cut whatever it says")
{
    const row rows[] = {
        {"before the promotion: a still says running primary",
         [](story& s) { s.lock("b").says("a", primary()).says("b", replica()); },
         "closed lock-elsewhere",
         "keep holder-not-ready"},
        {"after the promotion: a still says running primary",
         [](story& s) { s.lock("b").says("a", primary()).says("b", primary(2)); },
         "closed lock-elsewhere",
         "open lock-and-word"},
        {"after the promotion: a is silent",
         [](story& s) { s.lock("b").silent("a").says("b", primary(2)); },
         "closed lock-elsewhere",
         "open lock-and-word"},
        {"after the promotion: a is a replica",
         [](story& s) { s.lock("b").says("a", replica()).says("b", primary(2)); },
         "closed lock-elsewhere",
         "open lock-and-word"},
        {"a claims failsafe mode",
         [](story& s) { s.lock("b").says("a", failsafe_primary()).says("b", replica()); },
         "closed lock-elsewhere",
         "keep holder-not-ready"},
        {"a claims pause",
         [](story& s) { s.lock("b").says("a", paused_primary()).says("b", replica()); },
         "closed lock-elsewhere",
         "keep holder-not-ready"},
        {"a claims the lock",
         [](story& s) { s.lock("b").claims("a", primary()).says("b", replica()); },
         "closed lock-elsewhere",
         "keep holder-not-ready"},
        {"b is on the timeline that was open before: Patroni let it be so",
         [](story& s) { s.lock("b").says("b", primary(1)); },
         "closed lock-elsewhere",
         "open lock-and-word"},
        {"b is silent, it was a replica",
         [](story& s) { s.lock("b").silent("b"); },
         "closed lock-elsewhere",
         "keep holder-silent"},
        {"b said that it is a primary before it had the lock",
         [](story& s)
         {
             s.lock("a").says("b", primary(2)).decide();
             s.after(1s).lock("b");
         },
         "closed lock-elsewhere",
         "keep word-too-old"},
        {"b says so again after it has the lock",
         [](story& s)
         {
             s.lock("a").says("b", primary(2)).decide();
             s.after(1s).lock("b").decide();
             s.after(1ms).says("b", primary(2));
         },
         "closed lock-elsewhere",
         "open lock-and-word"},
        {"b said that it is a primary, then fell silent, then got the lock",
         [](story& s)
         {
             s.lock("a").says("b", primary(2)).decide();
             s.after(1s).silent("b").lock("b");
         },
         "closed lock-elsewhere",
         "keep holder-silent"},
    };
    check_rows(rows);
}

TEST_CASE("when nobody can read the DCS, Patroni's own claim decides, as long as it is fresh")
{
    const row rows[] = {
        {"a: 200 and running primary",
         [](story& s) { s.dcs_lost().claims("a", primary()); },
         "open rest-only",
         "closed lock-unknown"},
        {"a: 503",
         [](story& s) { s.dcs_lost().claims("a", primary(), false); },
         "keep lock-unknown",
         "closed lock-unknown"},
        {"a: never asked for its claim",
         [](story& s) { s.dcs_lost().says("a", primary()); },
         "keep lock-unknown",
         "closed lock-unknown"},
        {"a: 200, but its claim is as old as the listings",
         [](story& s) { s.claims("a", primary()).dcs_lost(); },
         "keep lock-unknown",
         "closed lock-unknown"},
        {"a: 200, and its claim just still counts",
         [](story& s) { s.dcs_lost().claims("a", primary()).after(s.rules.fresh_for); },
         "open rest-only",
         "closed lock-unknown"},
        {"a: 200, but it is being promoted",
         [](story& s) { s.dcs_lost().claims("a", replica()); },
         "keep lock-unknown",
         "closed lock-unknown"},
        {"a: 200, but stopping",
         [](story& s) { s.dcs_lost().claims("a", word(role::primary, state::stopping)); },
         "keep lock-unknown",
         "closed lock-unknown"},
        {"a: 200 once, then silent",
         [](story& s)
         {
             s.dcs_lost().claims("a", primary()).decide();
             s.after(1s).silent("a");
         },
         "keep lock-unknown",
         "closed lock-unknown"},
        {"a: 200 once, then 503: it has demoted itself",
         [](story& s)
         {
             s.dcs_lost().claims("a", primary()).decide();
             s.after(1s).claims("a", primary(), false);
         },
         "keep lock-unknown",
         "closed lock-unknown"},
        {"a is silent",
         [](story& s) { s.dcs_lost().silent("a"); },
         "keep lock-unknown",
         "closed lock-unknown"},
        {"b: 200 on a higher timeline, a is silent",
         [](story& s) { s.dcs_lost().silent("a").claims("b", primary(2)); },
         "closed lock-unknown",
         "open rest-only"},
        {"both: 200, b on a higher timeline",
         [](story& s) { s.dcs_lost().claims("a", primary()).claims("b", primary(2)); },
         "closed lock-unknown",
         "open rest-only"},
        {"both: 200 on the same timeline: no new sessions for either",
         [](story& s) { s.dcs_lost().claims("a", primary()).claims("b", primary()); },
         "keep lock-unknown",
         "closed lock-unknown"},
        {"both say running primary, a alone has the 200",
         [](story& s) { s.dcs_lost().claims("a", primary()).claims("b", primary(2), false); },
         "open rest-only",
         "closed lock-unknown"},
    };
    check_rows(rows);
}

TEST_CASE("the same holder, back after a gap, needs a new word")
{
    story s;
    s.settle();

    s.says("a", primary()).no_lock().decide();
    CHECK(write_of(s.believed, "a") == "closed no-lock");

    s.after(50ms).lock("a").decide();
    CHECK(write_of(s.believed, "a") == "keep word-too-old");

    s.after(1ms).says("a", primary()).decide();
    CHECK(write_of(s.believed, "a") == "open lock-and-word");
}

TEST_CASE("a switchover and the way back open each primary in turn, never both")
{
    story s;
    s.settle();

    s.lock("a").says("a", word(role::primary, state::stopping)).decide();
    CHECK(routed(s) == "");
    CHECK(write_of(s.believed, "a") == "keep holder-not-ready");

    s.after(1s).no_lock().says("a", word(role::unknown, state::stopping)).decide();
    CHECK(routed(s) == "");
    CHECK(write_of(s.believed, "a") == "closed no-lock");

    s.after(10ms).lock("b").decide();
    CHECK(routed(s) == "");
    CHECK(write_of(s.believed, "b") == "keep holder-not-ready");

    s.after(100ms).says("b", primary(2)).decide();
    CHECK(routed(s) == "b");

    s.after(60s).says("a", replica(2)).says("b", word(role::primary, state::stopping)).lock("b");
    s.decide();
    CHECK(routed(s) == "");

    s.after(1s).says("b", replica(2)).lock("a").says("a", primary(3)).decide();
    CHECK(routed(s) == "a");
    CHECK(write_of(s.believed, "b") == "closed lock-elsewhere");
    CHECK(s.believed.highest_timeline == 3);
}

TEST_CASE("an old reporter that comes late with an old view does not bring the old primary back")
{
    story s;
    s.settle();
    s.lock("b", "b:8008").says("b", primary(2)).decide();
    REQUIRE(routed(s) == "b");

    // Never asked before: its view is the one that came up last.
    s.after(1s).lock("b", "b:8008").lock("a", "c:8008").says("a", primary()).says("b", primary(2));
    s.decide();

    CHECK(routed(s) == "b");
    CHECK(write_of(s.believed, "a") == "closed lock-elsewhere");
}

TEST_CASE("nobody is routed before the first confirmed view")
{
    story s;
    const auto nobody = [&s](const char* why)
    {
        CAPTURE(why);
        s.decide();
        CHECK(routed(s, write_port) == "");
        CHECK(routed(s, read_port) == "");
    };

    nobody("nothing has been seen");
    CHECK_FALSE(s.believed.confirmed);

    s.says("a", primary()).says("b", replica());
    nobody("words alone name no member");

    s.claims("a", primary());
    nobody("nor does a claim");

    story listed;
    listed.lock("a").decide();
    CHECK(routed(listed) == "");
    CHECK(routed(listed, read_port) == "");
    CHECK(write_of(listed.believed, "a") == "keep holder-silent");
    CHECK(listed.believed.confirmed == listed.now);

    listed.after(5ms).says("a", primary()).says("b", replica()).decide();
    CHECK(routed(listed) == "a");
    CHECK(routed(listed, read_port) == "b");
}

TEST_CASE("two members that say running primary from the first moment: the lock decides")
{
    for (const char* holder : {"a", "b"})
    {
        CAPTURE(holder);
        story s;

        s.lock(holder).says("a", primary(2)).says("b", primary(2)).decide();

        CHECK(routed(s) == holder);
    }
}
