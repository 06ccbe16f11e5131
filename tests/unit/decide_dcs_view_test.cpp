// SPDX-License-Identifier: PostgreSQL
//
// The picture around the verdicts with a DCS: members, ages, what people are told.
#include "health/decide.hpp"

#include "proxy/route.hpp"
#include "tests/support/evidence_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace rolegate::support;
using rolegate::proxy::open_members;
using kind = lock_belief::kind;

TEST_SUITE_BEGIN("health/decide");

TEST_CASE("the belief names the DCS as its source, and what is left of the lease")
{
    story s;
    s.settle_with_dcs();

    CHECK(std::string_view(s.believed.lock.source) == "etcd3");
    CHECK(s.believed.lock.reporter == "etcd-1:2379");
    CHECK(s.believed.lock.ends == story_begins + 20s);
    CHECK_FALSE(s.believed.lock.by_lease);
    CHECK(s.believed.dcs.source == "etcd3");
    CHECK(s.believed.dcs.connected);
    CHECK(s.believed.dcs.endpoint == "etcd-1:2379");
    CHECK(s.believed.dcs.seen == story_begins);
    CHECK(s.believed.dcs.error == "");

    s.dcs_lost_at("etcd-1:2379: refused").after(10s).decide();
    CHECK(s.believed.lock.by_lease);
    CHECK(s.believed.lock.ends == story_begins + 20s);
    CHECK_FALSE(s.believed.dcs.connected);
    CHECK(s.believed.dcs.error == "etcd-1:2379: refused");
    CHECK(
        s.believed.cause.find("lock held by a as far as its lease tells; etcd3 lost: "
                              "etcd-1:2379: refused") == 0
    );

    story never;
    never.decide();
    CHECK(never.believed.dcs.source == "");
    never.seen.dcs.emplace();
    never.seen.dcs->source = "etcd3";
    never.seen.dcs->error = "not connected yet";
    never.decide();
    CHECK(never.believed.dcs.source == "etcd3");
    CHECK_FALSE(never.believed.dcs.seen);
    CHECK(never.believed.lock.what == kind::unknown);
}

TEST_CASE("members come from the DCS; a holder without a key of its own stays where it was")
{
    story s;
    s.settle_with_dcs();
    s.join("d").leave("c").dcs("a").says("d", replica()).decide();
    CHECK(read_of(s.believed, "d") == "open running-replica");
    CHECK_FALSE(s.believed.find("c")->listed);

    // With etcd's API v2 the member's key runs out a moment before the leader's.
    s.after(1s).leave("a").dcs("a").says("a", primary()).decide();
    CHECK(s.believed.lock.holder == "a");
    CHECK(write_of(s.believed, "a") == "open lock-and-word");
    CHECK(s.believed.find("a")->host == "a.example");
    CHECK(s.believed.find("a")->port == 5432);
}

TEST_CASE("a holder that nobody knows the address of is not opened")
{
    story s;
    s.dcs("z").says("z", primary()).decide();

    CHECK(write_of(s.believed, "z") == "keep no-address");
    CHECK(s.believed.find("z")->write.reason == "its address is not known");
    CHECK(write_of(s.believed, "a") == "closed lock-elsewhere");
}

TEST_CASE("a planned switchover is told, and forgotten when it is over")
{
    story s;
    s.settle_with_dcs();

    s.next_listing.switchover = planned_switchover{"a", "b", "2026-01-31T03:00:00+00:00"};
    s.dcs("a").decide();
    REQUIRE(s.believed.switchover);
    CHECK(s.believed.switchover->to == "b");
    CHECK(s.believed.cause == "switchover asked for from a to b at 2026-01-31T03:00:00+00:00");
    CHECK(write_of(s.believed, "a") == "open lock-and-word");

    // What was planned stays so while nobody can tell.
    s.dcs_lost_at().after(21s).decide();
    CHECK(s.believed.lock.what == kind::unknown);
    CHECK(s.believed.switchover);

    s.next_listing.switchover.reset();
    s.after(1s).dcs("a").decide();
    CHECK_FALSE(s.believed.switchover);
    CHECK(s.believed.cause.find("no switchover is planned any more") != std::string::npos);
}

TEST_CASE("the view goes stale after the DCS's ttl, and before that REST's")
{
    story s;
    s.settle_with_dcs();
    CHECK(s.believed.stale_after == 10s);

    s.seen.ttl = 25s;
    s.decide();
    CHECK(s.believed.stale_after == 25s);

    s.seen.dcs->ttl = 30s;
    s.decide();
    CHECK(s.believed.stale_after == 30s);

    s.rules.stale_after = 8s;
    s.decide();
    CHECK(s.believed.stale_after == 8s);

    s.rules.stale_after.reset();
    s.rules.fresh_for = 40s;
    s.decide();
    CHECK(s.believed.stale_after == 40s);
}

TEST_CASE("a view that the DCS has not confirmed for long routes nobody, and ends what it was told")
{
    story s;
    s.rules.stale_after = 8s;
    s.settle_with_dcs();
    s.dcs_lost_at().decide();
    CHECK_FALSE(s.believed.end_when_stale);

    // The lease is no confirmation.
    s.after(8s).says("a", primary()).decide();
    CHECK(write_of(s.believed, "a") == "open lock-and-word");
    CHECK(s.believed.confirmed == story_begins);
    CHECK(s.believed.stale(s.now));

    const auto generation = s.believed.generation;
    s.rules.end_when_stale = true;
    s.decide();
    CHECK(s.believed.end_when_stale);
    CHECK(s.believed.generation == generation + 1);
}

TEST_CASE("nobody is routed before the DCS or a member has confirmed anything")
{
    story s;
    s.seen.dcs.emplace();
    s.seen.dcs->source = "etcd3";
    s.seen.dcs->error = "not connected yet";
    s.sql("a", false).says("b", replica()).decide();
    CHECK_FALSE(s.believed.confirmed);
    CHECK(open_members(write_port, s.believed, s.now).empty());
    CHECK(open_members(read_port, s.believed, s.now).empty());

    s.after(10ms).dcs("a").sql("a", false).decide();
    CHECK(open_members(write_port, s.believed, s.now) == std::vector<std::string>{"a"});
}
