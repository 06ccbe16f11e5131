// SPDX-License-Identifier: PostgreSQL
#include "health/inherit.hpp"
#include "tests/support/topology_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;
using health::time_point;

namespace
{

constexpr time_point now{1000h};

health::topology followed()
{
    auto t = topology_builder().primary("a").replica("b").build();
    t.generation = 7;
    t.highest_timeline = 3;
    t.system_identifier = "42";
    t.last_writer = "a";
    t.confirmed = now;
    return t;
}

health::topology fresh()
{
    health::topology t;
    t.cluster = "main";
    t.began = now;
    t.stale_after = 3s;
    return t;
}

} // namespace

TEST_SUITE_BEGIN("health/inherit");

TEST_CASE("who has seen nothing believes all that is known, by its own settings, with its age")
{
    const auto t = inherit(fresh(), followed());
    CHECK(t.primary()->name == "a");
    CHECK(t.highest_timeline == 3);
    CHECK(t.system_identifier == "42");
    CHECK(t.last_writer == "a");
    CHECK(t.confirmed == now);
    CHECK(t.stale_after == 3s);
    CHECK(t.generation == 8);
}

TEST_CASE("who has seen the cluster keeps that, and learns its history only")
{
    auto heir = topology_builder().primary("b").replica("a").build();
    heir.generation = 9;
    heir.last_writer = "b";
    heir.highest_timeline = 2;
    const auto t = inherit(heir, followed());
    CHECK(t.primary()->name == "b");
    CHECK(t.last_writer == "b");
    CHECK(t.highest_timeline == 3);
    CHECK(t.system_identifier == "42");
    CHECK(t.generation == 10);
}

TEST_CASE("what was said against a writer meanwhile is not forgotten")
{
    auto known = followed();
    known.last_writer.clear();
    auto heir = topology_builder()
                    .add(
                        "a",
                        health::member_role::primary,
                        health::admission::keep,
                        health::admission::closed
                    )
                    .build();
    heir.last_writer = "a";
    CHECK(inherit(heir, known).last_writer.empty());
}

TEST_CASE("nobody takes over before it has seen the cluster itself, or opens less")
{
    const auto current = followed();
    auto heir = followed();
    CHECK_FALSE(may_take_over(heir, current, now)); // that is what it was told
    heir.confirmed = now + 1ms;
    CHECK(may_take_over(heir, current, now));
    heir.members[0].grants[0].verdict = health::admission::keep;
    CHECK_FALSE(may_take_over(heir, current, now));

    // What the settings do not name any more is no reason to wait.
    heir = followed();
    heir.confirmed = now + 1ms;
    heir.members.pop_back();
    CHECK(may_take_over(heir, current, now));

    // More may be open.
    auto less = current;
    less.members[0].grants[0].verdict = health::admission::closed;
    CHECK(may_take_over(heir, less, now));
}

TEST_CASE("nobody takes over who would write to a member that is known to have lost the lock")
{
    auto current = followed();
    current.confirmed = now + 2ms;
    current.members[0].write.verdict = health::admission::closed;
    current.members[0].grants[0].verdict = health::admission::closed;
    current.lock.what = health::lock_belief::kind::none;
    auto heir = followed();
    heir.confirmed = now + 1ms;
    CHECK_FALSE(may_take_over(heir, current, now));
    // What is not known is no reason, nor what was known before the heir began.
    current.lock.what = health::lock_belief::kind::unknown;
    CHECK(may_take_over(heir, current, now));
    current.lock.what = health::lock_belief::kind::none;
    current.confirmed = now;
    CHECK(may_take_over(heir, current, now));
}

TEST_CASE("nobody takes over who does not watch the DCS yet, from one who does")
{
    auto current = followed();
    current.dcs.source = "etcd3";
    current.dcs.connected = true;
    auto heir = current;
    heir.confirmed = now + 1ms;
    heir.dcs.connected = false;
    CHECK_FALSE(may_take_over(heir, current, now));
    heir.dcs.source = ""; // it is not to watch any
    CHECK(may_take_over(heir, current, now));
}

TEST_CASE("what a heir waits for is said in a sentence")
{
    auto current = followed();
    auto heir = followed();
    CHECK(what_it_waits_for(heir, current, now) == "nobody has said yet what the cluster is");
    heir.confirmed = now + 1ms;
    CHECK(what_it_waits_for(heir, current, now) == "");
    heir.members[0].grants[0] = {health::admission::keep, "silent", "does not answer"};
    CHECK(
        what_it_waits_for(heir, current, now) ==
        heir.members[0].name + " would be open no longer: it does not answer"
    );
    current.dcs = {"etcd3", true, "", {}, ""};
    heir.dcs = {"etcd3", false, "", {}, "Connection refused"};
    CHECK(what_it_waits_for(heir, current, now) == "etcd3 is not connected: Connection refused");
}

TEST_CASE("who has evidence of its own judges it anew by what was known")
{
    const auto known = followed();
    auto heir = followed();
    heir.highest_timeline = 2;
    const auto close_all = [&](const health::topology& t)
    {
        CHECK(t.highest_timeline == 3);
        auto judged = t;
        judged.generation = 0;
        judged.members[0].write.verdict = health::admission::closed;
        return judged;
    };
    const auto t = inherit_and_judge(heir, known, close_all);
    CHECK_FALSE(t.primary());
    CHECK(t.generation == 8);
    CHECK(t.cause == "the configuration has changed");
    CHECK(inherit_and_judge(fresh(), known, close_all).primary()); // it has none
}

TEST_CASE("a watch over lag goes on for the demand it was for")
{
    std::vector<health::demand> before(2);
    before[0].listener = "r1";
    before[1].listener = "r2";
    auto after = before;
    after[0].listener.clear(); // only former sessions are judged by it now
    after[1].wants.lag_dwell = 1s;
    auto t = followed();
    t.members[0].lag_watches = {{true, now}, {true, now}};
    t = redemanded(t, before, after);
    CHECK(t.members[0].lag_watches[0].lagging);
    CHECK_FALSE(t.members[0].lag_watches[1].lagging);
    CHECK(t.generation == 8);
}

TEST_SUITE_END();
