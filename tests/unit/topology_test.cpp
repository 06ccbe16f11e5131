// SPDX-License-Identifier: PostgreSQL
#include "health/topology.hpp"

#include "tests/support/topology_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace std::chrono_literals;
using rolegate::support::topology_builder;

namespace
{

topology three()
{
    return topology_builder().primary("a").replica("b").replica("c").build();
}

} // namespace

TEST_SUITE_BEGIN("health/topology");

TEST_CASE("a member is found by its whole name")
{
    const auto t = three();

    REQUIRE(t.find("b") != nullptr);
    CHECK(t.find("b")->name == "b");
    CHECK(t.find("bb") == nullptr);
    CHECK(t.find("") == nullptr);
    CHECK(topology{}.find("a") == nullptr);
}

TEST_CASE("the primary is the member that is open for writes")
{
    auto t = three();
    REQUIRE(t.primary() != nullptr);
    CHECK(t.primary()->name == "a");

    t.members[0].write.verdict = admission::keep;
    CHECK(t.primary() == nullptr);
}

TEST_CASE("a topology is stale when its confirmation is older than allowed")
{
    auto t = three();
    t.confirmed = time_point{100s};
    t.stale_after = 10s;

    CHECK_FALSE(t.stale(time_point{110s}));
    CHECK(t.stale(time_point{110s} + 1ns));

    t.confirmed.reset();
    CHECK_FALSE(t.stale(time_point{1000h}));
}

TEST_CASE("what people route by or are told makes another belief; ages, lag and LSNs do not")
{
    const struct
    {
        const char* name;
        void (*change)(topology&);
        bool same;
    } rows[] = {
        {"nothing", [](topology&) {}, true},
        {"age of the view", [](topology& t) { *t.confirmed += 1s; }, true},
        {"age of the lock", [](topology& t) { t.lock.seen += 1s; }, true},
        {"reporter of the lock", [](topology& t) { t.lock.reporter = "b:8008"; }, true},
        {"source of the lock", [](topology& t) { t.lock.source = "etcd3"; }, true},
        {"end of the lease", [](topology& t) { t.lock.ends = time_point{1h}; }, true},
        {"endpoint of the DCS", [](topology& t) { t.dcs.endpoint = "b:2379"; }, true},
        {"age of the DCS's word", [](topology& t) { t.dcs.seen = time_point{1h}; }, true},
        {"error of the DCS", [](topology& t) { t.dcs.error = "refused"; }, true},
        {"age of an SQL word", [](topology& t) { t.members[1].sql_seen = time_point{1h}; }, true},
        {"error over SQL", [](topology& t) { t.members[1].sql_error = "refused"; }, true},
        {"age of a word", [](topology& t) { t.members[1].word_seen = time_point{1h}; }, true},
        {"age of a listing", [](topology& t) { t.members[1].listed_seen += 1s; }, true},
        {"lag", [](topology& t) { t.members[1].lag_bytes = 9; }, true},
        {"spelling of a state", [](topology& t) { t.members[1].state_text = "streaming"; }, true},
        {"error of a silent member", [](topology& t) { t.members[1].error = "refused"; }, true},
        {"generation", [](topology& t) { ++t.generation; }, true},
        {"cause", [](topology& t) { t.cause = "other"; }, true},
        {"sentence of a verdict", [](topology& t) { t.members[1].read.reason = "other"; }, true},
        {"holder of the lock", [](topology& t) { t.lock.holder = "b"; }, false},
        {"kind of the lock", [](topology& t) { t.lock.what = lock_belief::kind::none; }, false},
        {"pause", [](topology& t) { t.pause = true; }, false},
        {"highest timeline", [](topology& t) { t.highest_timeline = 2; }, false},
        {"system identifier", [](topology& t) { t.system_identifier = "7"; }, false},
        {"a lock by its lease only", [](topology& t) { t.lock.by_lease = true; }, false},
        {"the way to the DCS", [](topology& t) { t.dcs.connected = true; }, false},
        {"failsafe mode", [](topology& t) { t.failsafe_mode = true; }, false},
        {"a planned switchover", [](topology& t) { t.switchover.emplace(); }, false},
        {"what becomes of a stale view", [](topology& t) { t.end_when_stale = true; }, false},
        {"how long a view counts", [](topology& t) { t.stale_after = 1s; }, false},
        {"the first confirmation", [](topology& t) { t.confirmed.reset(); }, false},
        {"a member more", [](topology& t) { t.members.push_back(t.members[0]); }, false},
        {"a member less", [](topology& t) { t.members.pop_back(); }, false},
        {"name", [](topology& t) { t.members[2].name = "d"; }, false},
        {"host", [](topology& t) { t.members[1].host = "x"; }, false},
        {"port", [](topology& t) { t.members[1].port = 1; }, false},
        {"address", [](topology& t) { t.members[1].address = "10.0.0.9"; }, false},
        {"role", [](topology& t) { t.members[1].role = member_role::primary; }, false},
        {"state", [](topology& t) { t.members[1].state = member_state::stopped; }, false},
        {"timeline", [](topology& t) { t.members[1].timeline = 2; }, false},
        {"no timeline", [](topology& t) { t.members[1].timeline.reset(); }, false},
        {"listed", [](topology& t) { t.members[1].listed = false; }, false},
        {"write verdict", [](topology& t) { t.members[1].write.verdict = admission::keep; }, false},
        {"read verdict", [](topology& t) { t.members[1].read.verdict = admission::keep; }, false},
        {"write rule", [](topology& t) { t.members[1].write.rule = "other"; }, false},
        {"read rule", [](topology& t) { t.members[1].read.rule = "other"; }, false},
        {"a listener's verdict",
         [](topology& t) { t.members[1].grants[1].verdict = admission::keep; },
         false},
        {"a listener's rule", [](topology& t) { t.members[1].grants[1].rule = "other"; }, false},
        {"a preference", [](topology& t) { t.members[1].grants[1].preferred = true; }, false},
        {"a listener's sentence",
         [](topology& t) { t.members[1].grants[1].reason = "is 3MB behind"; },
         true},
        {"since when a lag is low",
         [](topology& t) {
             t.members[1].lag_watches = {{true, time_point{1h}}};
         },
         true},
        {"age of what was replayed", [](topology& t) { t.members[1].lag_time = 9ms; }, true},
        {"where the leader is",
         [](topology& t) {
             t.position = {"a", 9, time_point{1h}};
         },
         true},
        {"tags", [](topology& t) { t.members[1].tags["zone"] = "b"; }, false},
        {"sync state", [](topology& t) { t.members[1].sync = sync_state::sync; }, false},
        {"replication state", [](topology& t) { t.members[1].replication_state = "x"; }, false},
        {"standby cluster", [](topology& t) { t.standby_cluster = true; }, false},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        const auto before = three();
        auto after = before;

        row.change(after);

        CHECK(same_belief(before, after) == row.same);
        CHECK(same_belief(after, before) == row.same);
        CHECK(same_belief(after, after));
    }
}

TEST_CASE("another listener in a seat makes another belief, the first names do not")
{
    auto before = three();
    before.listeners = {"write", "read"};
    auto after = before;
    CHECK(same_belief(before, after));

    after.listeners[1] = "report";
    CHECK_FALSE(same_belief(before, after));
    CHECK(cause_of_change(before, after) == "the listeners are other ones");
    after.listeners.pop_back();
    CHECK_FALSE(same_belief(before, after));
    CHECK(same_belief(three(), after));
    CHECK(same_belief(after, three()));
}

TEST_CASE("rules are compared as words, wherever they are stored")
{
    static const std::string elsewhere = "test";
    const auto before = three();
    auto after = before;

    after.members[0].write.rule = elsewhere.c_str();

    CHECK(same_belief(before, after));
}

TEST_CASE("the cause of a change tells every change that a reader of the log cares for")
{
    const struct
    {
        const char* name;
        void (*change)(topology&);
        const char* cause;
    } rows[] = {
        {"the lock moves", [](topology& t) { t.lock.holder = "b"; }, "lock held by b"},
        {"the lock is free",
         [](topology& t)
         {
             t.lock.what = lock_belief::kind::none;
             t.lock.holder.clear();
         },
         "lock free"},
        {"the lock is unknown",
         [](topology& t)
         {
             t.lock.what = lock_belief::kind::unknown;
             t.lock.holder.clear();
         },
         "lock unknown"},
        {"a verdict",
         [](topology& t) {
             t.members[0].write = {admission::closed, "no-lock", "it lost the lock"};
         },
         "a closed for writes: it lost the lock"},
        {"a rule of an open verdict",
         [](topology& t) {
             t.members[1].read = {admission::open, "listed", "it is listed"};
         },
         "b still open for reads: it is listed"},
        {"a rule of a closed verdict",
         [](topology& t) {
             t.members[1].write = {admission::closed, "other", "another reason"};
         },
         "another reason for the same verdicts"},
        {"a lock that only its lease speaks for",
         [](topology& t) { t.lock.by_lease = true; },
         "lock held by a as far as its lease tells"},
        {"the DCS connects",
         [](topology& t) {
             t.dcs = {"etcd3", true, "x:2379", {}, ""};
         },
         "etcd3 connected"},
        {"failsafe mode", [](topology& t) { t.failsafe_mode = true; }, "failsafe mode switched on"},
        {"a switchover is asked for",
         [](topology& t) {
             t.switchover = planned_switchover{"a", "b", ""};
         },
         "switchover asked for from a to b"},
        {"a failover is asked for, to any candidate",
         [](topology& t) { t.switchover.emplace(); },
         "switchover asked for"},
        {"a switchover is planned for later",
         [](topology& t) {
             t.switchover = planned_switchover{"a", "", "2026-01-31T03:00+00:00"};
         },
         "switchover asked for from a at 2026-01-31T03:00+00:00"},
        {"what a member is",
         [](topology& t)
         {
             t.members[1].state = member_state::starting;
             t.members[1].timeline.reset();
         },
         "b is a replica, starting, timeline unknown"},
        {"listed no longer",
         [](topology& t) { t.members[1].listed = false; },
         "b is no longer listed"},
        {"moved",
         [](topology& t)
         {
             t.members[1].host = "x";
             t.members[1].port = 6000;
         },
         "b is at x:6000"},
        {"forgotten", [](topology& t) { t.members.pop_back(); }, "c forgotten"},
        {"paused", [](topology& t) { t.pause = true; }, "cluster paused"},
        {"how long a view counts",
         [](topology& t) { t.stale_after = 30s; },
         "a view is too old after 30000 ms"},
        {"several things: the lock first",
         [](topology& t)
         {
             t.pause = true;
             t.members[1].listed = false;
             t.lock.holder = "b";
         },
         "lock held by b; b is no longer listed; cluster paused"},
        {"a new member that is closed",
         [](topology& t)
         {
             t = topology_builder(t)
                     .add("d", member_role::replica, admission::closed, admission::closed)
                     .build();
         },
         "d is a replica, running, timeline 1"},
        {"a new member that is open",
         [](topology& t) { t = topology_builder(t).replica("d").build(); },
         "d open for reads: as the test says; d is a replica, running, timeline 1"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        const auto before = three();
        auto after = before;

        row.change(after);

        CHECK(cause_of_change(before, after) == row.cause);
    }
}

TEST_CASE("what ended is told as well")
{
    auto paused = three();
    paused.pause = true;
    auto unlisted = three();
    unlisted.members[1].listed = false;

    auto linked = three();
    linked.dcs = {"etcd3", true, "x:2379", {}, ""};
    auto cut_off = linked;
    cut_off.dcs.connected = false;
    cut_off.dcs.error = "x:2379: timed out";
    auto planned = three();
    planned.switchover.emplace();
    auto failsafe = three();
    failsafe.failsafe_mode = true;

    CHECK(cause_of_change(paused, three()) == "cluster resumed");
    CHECK(cause_of_change(linked, cut_off) == "etcd3 lost: x:2379: timed out");
    CHECK(cause_of_change(planned, three()) == "no switchover is planned any more");
    CHECK(cause_of_change(failsafe, three()) == "failsafe mode switched off");
    CHECK(cause_of_change(unlisted, three()) == "b is listed again");
}

TEST_CASE("every enumerator has a word")
{
    CHECK(to_string(member_role::unknown) == std::string("unknown"));
    CHECK(to_string(member_role::primary) == std::string("primary"));
    CHECK(to_string(member_role::replica) == std::string("replica"));
    CHECK(to_string(member_role::standby_leader) == std::string("standby_leader"));
    CHECK(to_string(member_state::unknown) == std::string("unknown"));
    CHECK(to_string(member_state::running) == std::string("running"));
    CHECK(to_string(member_state::starting) == std::string("starting"));
    CHECK(to_string(member_state::stopping) == std::string("stopping"));
    CHECK(to_string(member_state::stopped) == std::string("stopped"));
    CHECK(to_string(member_state::crashed) == std::string("crashed"));
    CHECK(to_string(admission::open) == std::string("open"));
    CHECK(to_string(admission::keep) == std::string("keep"));
    CHECK(to_string(admission::closed) == std::string("closed"));
}
