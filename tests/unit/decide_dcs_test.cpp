// SPDX-License-Identifier: PostgreSQL
//
// Who may be written to with a DCS beside REST: the decision table, row by row. The rows that need
// REST alone stand in decide_test.cpp, those with SQL in decide_sql_test.cpp.
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
template <std::size_t N>
void check_rows(
    const row (&rows)[N], void (*configured)(story&) = [](story&) {}
)
{
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        story s;
        s.settle_with_dcs();
        configured(s);
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

std::string reason_of(const story& s, const char* name)
{
    return s.believed.find(name)->write.reason;
}

} // namespace

TEST_SUITE_BEGIN("health/decide");

TEST_CASE("a DCS that is connected says who holds the lock, whatever is reported over REST")
{
    const row rows[] = {
        {"it says so again",
         [](story& s) { s.dcs("a"); },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"a reporter that is ahead, or behind",
         [](story& s) { s.lock("b", "b:8008"); },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"every reporter names b, which says that it is a primary on a higher timeline",
         [](story& s)
         { s.lock("b", "a:8008").lock("b", "b:8008").lock("b", "c:8008").says("b", primary(2)); },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"every reporter says that the key is absent",
         [](story& s) { s.no_lock("a:8008").no_lock("b:8008").no_lock("c:8008"); },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"b claims the lock",
         [](story& s) { s.claims("b", primary(2)); },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"DELETE: it cuts at once, although a is a running primary by its newest word",
         [](story& s) { s.dcs_says_nobody().says("a", primary()); },
         "closed no-lock",
         "closed no-lock"},
        {"DELETE, every reporter still names a",
         [](story& s) { s.lock("a", "a:8008").lock("a", "b:8008").dcs_says_nobody(); },
         "closed no-lock",
         "closed no-lock"},
        {"b has the lock, and was not heard since",
         [](story& s) { s.dcs("b"); },
         "closed lock-elsewhere",
         "keep holder-not-ready"},
        {"b has the lock and is promoted",
         [](story& s) { s.dcs("b").believe().after(100ms).says("b", primary(2)); },
         "closed lock-elsewhere",
         "open lock-and-word"},
        {"b has the lock and is promoted, every reporter still names a",
         [](story& s)
         {
             s.dcs("b").after(100ms).says("b", primary(2));
             s.lock("a", "a:8008").lock("a", "c:8008").says("a", primary());
         },
         "closed lock-elsewhere",
         "open lock-and-word"},
        {"a's Patroni is silent, and the lock is its own",
         [](story& s) { s.dcs("a").silent("a"); },
         "open degraded",
         "closed lock-elsewhere"},
        {"a's Patroni is silent, then its lock goes",
         [](story& s) { s.silent("a").believe().after(10s).dcs_says_nobody(); },
         "closed no-lock",
         "closed no-lock"},
        {"the leader of a standby cluster is no primary",
         [](story& s) { s.dcs("a").says("a", word(role::standby_leader, state::running)); },
         "keep holder-not-ready",
         "closed lock-elsewhere"},
        {"the DCS counts as connected, but its last answer is too old",
         [](story& s) { s.after(s.rules.fresh_for + 1ms).lock("b").says("b", primary(2)); },
         "closed lock-elsewhere",
         "open lock-and-word"},
    };
    check_rows(rows);
}

TEST_CASE("when the DCS is lost, reports over REST count, then the lease for as long as it lasts")
{
    const row rows[] = {
        {"just lost: what it said last still counts",
         [](story& s) { s.dcs_lost_at(); },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"REST names a",
         [](story& s) { s.dcs_lost_at().after(30s).lock("a").says("a", primary()); },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"REST names b, which has been promoted",
         [](story& s) { s.dcs_lost_at().after(2s).lock("b").after(1ms).says("b", primary(2)); },
         "closed lock-elsewhere",
         "open lock-and-word"},
        {"REST says that the key is absent",
         [](story& s) { s.dcs_lost_at().after(2s).no_lock(); },
         "closed no-lock",
         "closed no-lock"},
        {"nobody says anything, the lease has not ended",
         [](story& s)
         { s.dcs_lost_at().after(s.rules.fresh_for).lease(10s).after(1s).silent("a"); },
         "open degraded",
         "closed lock-elsewhere"},
        {"REST can say no more than that a is a primary, the lease has not ended",
         [](story& s)
         {
             s.dcs_lost_at().after(s.rules.fresh_for).lease(10s).after(1s);
             s.says("a", primary());
         },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"the lease has not ended, but a says that it has been demoted",
         [](story& s)
         { s.dcs_lost_at().after(s.rules.fresh_for).lease(10s).after(1s).says("a", replica()); },
         "keep holder-not-ready",
         "closed lock-elsewhere"},
        {"the last moment of the lease",
         [](story& s) { s.dcs_lost_at().silent("a").lease(10s).after(10s - 1ms); },
         "open degraded",
         "closed lock-elsewhere"},
        {"the lease has ended",
         [](story& s) { s.dcs_lost_at().silent("a").lease(10s).after(10s); },
         "closed lease-ended",
         "closed lease-ended"},
        {"the lease has ended, a says that it is a primary, but nobody has asked for its claim",
         [](story& s) { s.dcs_lost_at().lease(10s).after(10s).says("a", primary()); },
         "closed lease-ended",
         "closed lease-ended"},
        {"the lease has ended, a is a primary and answers 200 to /primary",
         [](story& s) { s.dcs_lost_at().lease(10s).after(10s).claims("a", primary()); },
         "open rest-only",
         "closed lock-unknown"},
        {"the lease has ended, a answers 503",
         [](story& s) { s.dcs_lost_at().lease(10s).after(10s).claims("a", primary(), false); },
         "closed lease-ended",
         "closed lease-ended"},
        {"the lease has ended, but REST has named a since, and a's Patroni spoke: it renewed",
         [](story& s)
         {
             s.dcs_lost_at().lease(10s).after(8s).lock("a").says("a", primary()).decide();
             s.after(s.rules.fresh_for + 1ms).silent("a");
         },
         "keep lock-unknown",
         "closed lock-unknown"},
        {"the lease has ended, REST has named a since, but a's Patroni was silent all along",
         [](story& s)
         {
             s.dcs_lost_at().lease(10s).after(8s).silent("a").lock("a").decide();
             s.after(s.rules.fresh_for + 1ms);
         },
         "closed lease-ended",
         "closed lease-ended"},
        {"the lease has ended, a's Patroni is silent, and REST names a at this moment",
         [](story& s) { s.dcs_lost_at().silent("a").lease(10s).after(10s).lock("a"); },
         "open degraded",
         "closed lock-elsewhere"},
        {"the lease has ended, a's Patroni is silent, and REST named a a moment ago",
         [](story& s) { s.dcs_lost_at().silent("a").lease(10s).after(10s).lock("a").after(251ms); },
         "closed lease-ended",
         "closed lease-ended"},
        {"the lease has ended, but a has claimed the lock since, and is silent now",
         [](story& s)
         {
             s.dcs_lost_at().lease(10s).after(10s).claims("a", primary()).decide();
             s.after(1s).silent("a");
         },
         "keep lock-unknown",
         "closed lock-unknown"},
        {"the lease's end was never known",
         [](story& s)
         {
             s.seen.dcs->lease_ends.reset();
             s.dcs_lost_at().silent("a").after(30s);
         },
         "keep lock-unknown",
         "closed lock-unknown"},
        {"the DCS is back and names a",
         [](story& s)
         {
             s.dcs_lost_at().silent("a").lease(10s).after(10s).decide();
             s.after(1s).dcs("a").after(1ms).says("a", primary());
         },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"the DCS is back and names a, which is not heard yet",
         [](story& s)
         {
             s.dcs_lost_at().silent("a").lease(10s).after(10s).decide();
             s.after(1s).dcs("a");
         },
         "keep holder-silent",
         "closed lock-elsewhere"},
        {"the DCS was emptied: it says nothing, REST does",
         [](story& s)
         {
             s.dcs_lost_at("no keys");
             s.seen.dcs->seen = s.seen.dcs->since = {};
             s.seen.dcs->listing = {};
             s.seen.dcs->lease_ends.reset();
             s.lock("a").says("a", primary());
         },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"the DCS was emptied, nobody says anything",
         [](story& s)
         {
             s.dcs_lost_at("no keys");
             s.seen.dcs->seen = s.seen.dcs->since = {};
             s.seen.dcs->listing = {};
             s.seen.dcs->lease_ends.reset();
         },
         "keep lock-unknown",
         "closed lock-unknown"},
    };
    check_rows(rows);
}

TEST_CASE("on_dcs_loss: fence lets nobody but the DCS say who holds the lock")
{
    const row rows[] = {
        {"connected", [](story& s) { s.dcs("a"); }, "open lock-and-word", "closed lock-elsewhere"},
        {"just lost: what it said last still counts",
         [](story& s) { s.dcs_lost_at(); },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"the lease has not ended",
         [](story& s) { s.dcs_lost_at().lease(10s).after(10s - 1ms); },
         "open degraded",
         "closed lock-elsewhere"},
        {"the lease has not ended, and REST names b",
         [](story& s) {
             s.dcs_lost_at()
                 .lease(10s)
                 .after(9s)
                 .lock("b")
                 .says("b", primary(2))
                 .says("a", primary());
         },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"the lease has ended",
         [](story& s) { s.dcs_lost_at().lease(10s).after(10s); },
         "closed dcs-lost",
         "closed dcs-lost"},
        {"the lease has ended; REST names a, and a claims the lock",
         [](story& s) { s.dcs_lost_at().lease(10s).after(10s).lock("a").claims("a", primary()); },
         "closed dcs-lost",
         "closed dcs-lost"},
        {"the lease's end was never known",
         [](story& s)
         {
             s.seen.dcs->lease_ends.reset();
             s.dcs_lost_at().after(s.rules.fresh_for).lock("a").claims("a", primary());
         },
         "closed dcs-lost",
         "closed dcs-lost"},
        {"the DCS is back",
         [](story& s)
         {
             s.dcs_lost_at().lease(10s).after(10s).decide();
             s.after(1s).dcs("a").after(1ms).says("a", primary());
         },
         "open lock-and-word",
         "closed lock-elsewhere"},
    };
    check_rows(rows, [](story& s) { s.rules.fence_without_dcs = true; });

    story s;
    s.rules.fence_without_dcs = true;
    s.settle_with_dcs().dcs_lost_at("etcd-1:2379: refused").after(21s).decide();
    CHECK(
        reason_of(s, "a") ==
        "the DCS cannot be reached, and on_dcs_loss is fence: etcd-1:2379: refused"
    );
}

TEST_CASE("failsafe mode: after a DELETE the primary is asked for half a second whether it is on")
{
    const row rows[] = {
        {"DELETE: it is asked",
         [](story& s) { s.dcs_says_nobody(); },
         "keep failsafe-asked",
         "closed no-lock"},
        {"no answer yet",
         [](story& s) { s.dcs_says_nobody().believe().after(499ms); },
         "keep failsafe-asked",
         "closed no-lock"},
        {"no answer in time",
         [](story& s) { s.dcs_says_nobody().believe().after(500ms); },
         "closed no-lock",
         "closed no-lock"},
        {"it is active",
         [](story& s) { s.dcs_says_nobody().believe().after(20ms).says("a", failsafe_primary()); },
         "open failsafe",
         "closed no-lock"},
        {"it is not active",
         [](story& s) { s.dcs_says_nobody().believe().after(20ms).says("a", primary()); },
         "closed no-lock",
         "closed no-lock"},
        {"its Patroni is dead, as we knew",
         [](story& s) { s.silent("a").believe().after(1s).dcs_says_nobody(); },
         "closed no-lock",
         "closed no-lock"},
        {"its Patroni is dead, as we learn now",
         [](story& s) { s.dcs_says_nobody().believe().after(2ms).silent("a"); },
         "closed no-lock",
         "closed no-lock"},
        {"it was stopping: that is a switchover",
         [](story& s) {
             s.says("a", word(role::primary, state::stopping))
                 .believe()
                 .after(1s)
                 .dcs_says_nobody();
         },
         "closed no-lock",
         "closed no-lock"},
        {"another takes the lock meanwhile",
         [](story& s) { s.dcs_says_nobody().believe().after(20ms).dcs("b"); },
         "closed lock-elsewhere",
         "keep holder-not-ready"},
        {"no switch back to asking once it was closed",
         [](story& s)
         {
             s.dcs_says_nobody().believe().after(500ms).decide();
             s.after(10ms).dcs_says_nobody();
         },
         "closed no-lock",
         "closed no-lock"},
        {"active, then the key is taken again by a",
         [](story& s)
         {
             s.dcs_says_nobody().believe().after(20ms).says("a", failsafe_primary()).decide();
             s.after(5s).dcs("a");
         },
         "open lock-and-word",
         "closed lock-elsewhere"},
        {"active, then the key is taken by b",
         [](story& s)
         {
             s.dcs_says_nobody().believe().after(20ms).says("a", failsafe_primary()).decide();
             s.after(1s).dcs("b");
         },
         "closed lock-elsewhere",
         "keep holder-not-ready"},
        {"the DCS is lost by all, and a goes on in failsafe mode: /primary 200",
         [](story& s) { s.dcs_lost_at().lease(10s).after(20s).claims("a", failsafe_primary()); },
         "open rest-only",
         "closed lock-unknown"},
    };
    check_rows(rows, [](story& s) { s.failsafe_configured().decide(); });
}

TEST_CASE("that failsafe mode was active some time ago is no answer to a DELETE of now")
{
    story s;
    s.settle_with_dcs().failsafe_configured().says("a", failsafe_primary()).decide();
    s.after(9s).dcs("a").decide();
    REQUIRE(write_of(s.believed, "a") == "open degraded");
    s.says("a", failsafe_primary()).decide();

    // The outage is over, a holds the lock again; its word is from before.
    s.after(3s).dcs("a").decide();
    REQUIRE(write_of(s.believed, "a") == "open lock-and-word");
    s.after(1s).dcs_says_nobody().decide();

    CHECK(write_of(s.believed, "a") == "keep failsafe-asked");
}

TEST_CASE("without failsafe mode in the configuration a DELETE asks nobody")
{
    story s;
    s.settle_with_dcs().dcs_says_nobody().decide();
    CHECK(write_of(s.believed, "a") == "closed no-lock");
    CHECK_FALSE(s.believed.failsafe_mode);

    story configured;
    configured.settle_with_dcs().failsafe_configured().decide();
    CHECK(configured.believed.failsafe_mode);
    CHECK(configured.believed.cause == "failsafe mode switched on");
}

TEST_CASE("pause keeps a primary without a lock, and opens nobody")
{
    const row rows[] = {
        {"by the DCS",
         [](story& s)
         {
             s.next_listing.pause = true;
             s.dcs_says_nobody().says("a", primary());
         },
         "open paused",
         "closed no-lock"},
        {"by its own word",
         [](story& s) { s.dcs_says_nobody().says("a", paused_primary()); },
         "open paused",
         "closed no-lock"},
        {"b takes the lock",
         [](story& s)
         {
             s.next_listing.pause = true;
             s.dcs("b").says("a", primary()).says("b", replica());
         },
         "closed lock-elsewhere",
         "keep holder-not-ready"},
        {"a has stopped",
         [](story& s)
         {
             s.next_listing.pause = true;
             s.dcs_says_nobody().says("a", word(role::primary, state::stopped));
         },
         "closed no-lock",
         "closed no-lock"},
    };
    check_rows(rows);
}

TEST_CASE("in pause an outage of the DCS ends no sessions: Patroni lets PostgreSQL be")
{
    story s;
    s.settle_with_dcs();
    s.next_listing.pause = true;
    s.dcs("a").says("a", paused_primary()).decide();
    REQUIRE(s.believed.pause);

    s.dcs_lost_at().after(25s).claims("a", paused_primary(), false).decide();

    CHECK(write_of(s.believed, "a") != "closed lease-ended");
}

TEST_CASE("the same holder that creates the key again is closed between, and open by a new word")
{
    story s;
    s.settle_with_dcs();

    s.dcs_says_nobody().decide();
    CHECK(write_of(s.believed, "a") == "closed no-lock");

    s.after(200ms).dcs("a").decide();
    CHECK(write_of(s.believed, "a") == "keep word-too-old");
    CHECK(s.believed.lock.since == s.now);

    s.after(20ms).says("a", primary()).decide();
    CHECK(write_of(s.believed, "a") == "open lock-and-word");
    CHECK(s.believed.highest_timeline == 1);
}

TEST_CASE("the same value again is no change, however often the lease is renewed")
{
    story s;
    s.settle_with_dcs();
    const auto before = s.believed;

    for (int i = 0; i < 5; ++i)
        s.after(1s)
            .says("a", primary())
            .says("b", replica())
            .says("c", replica())
            .dcs("a")
            .decide();

    CHECK(s.believed.generation == before.generation);
    CHECK(s.believed.cause == before.cause);
    CHECK(s.believed.lock.since == before.lock.since);
    CHECK(s.believed.lock.ends == s.now + 20s);
    CHECK(s.believed.confirmed == s.now);
}
