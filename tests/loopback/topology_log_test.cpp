// SPDX-License-Identifier: PostgreSQL
//
// What stands in the log of a change of belief.
#include "proxy/topology_log.hpp"

#include "tests/support/captured_log.hpp"
#include "tests/support/topology_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using namespace std::chrono_literals;
using health::member_role;
using support::captured_log;
using support::topology_builder;

namespace
{

constexpr health::time_point now{1000h};

health::topology finished(topology_builder b)
{
    auto t = b.build();
    t.listeners = {"write", "read"};
    t.lock.source = "etcd3";
    t.lock.seen = now - 40ms;
    for (auto& m : t.members)
        m.word_seen = now - 120ms;
    return t;
}

} // namespace

TEST_SUITE("proxy/topology_log")
{
    TEST_CASE("a lost primary is told with the evidence and its age")
    {
        const auto before = finished(topology_builder().primary("a").replica("b"));
        auto after = finished(topology_builder().add(
            "a", member_role::primary, health::admission::closed, health::admission::closed
        ));
        after.lock.what = health::lock_belief::kind::held;
        after.lock.holder = "b";
        after.cause = "lock taken by b";
        const captured_log log;
        proxy::tell_change(before, after, {"a", std::nullopt}, now);

        CHECK(log.count("event=topology ") == 1);
        CHECK(log.count("cause=\"lock taken by b\"\n") == 1);
        CHECK(
            log.count(" warning event=primary_lost cluster=main member=a lock_holder=b "
                      "lock_source=etcd3 lock_age_ms=40 word_age_ms=120 rule=test "
                      "reason=\"as the test says\"\n") == 1
        );
        CHECK(
            log.count(" warning event=member_down cluster=main listener=write member=a "
                      "verdict=closed rule=test reason=\"as the test says\"\n") == 1
        );
        CHECK(log.count(" warning event=listener_down cluster=main listener=write\n") == 1);
        CHECK(log.count("event=primary_opened") == 0);
    }

    TEST_CASE("a new primary is told with the time that there was none")
    {
        const auto before = finished(topology_builder().replica("b"));
        const auto after = finished(topology_builder().primary("b"));
        const captured_log log;
        proxy::tell_change(before, after, {"a", now - 1300ms}, now);

        CHECK(
            log.count(" info event=primary_opened cluster=main member=b timeline=1 previous=a "
                      "after_ms=1300 lock_holder=b lock_source=etcd3 lock_age_ms=40 "
                      "word_age_ms=120 rule=test reason=\"as the test says\"\n") == 1
        );
        CHECK(log.count("event=member_up cluster=main listener=write member=b rule=test ") == 1);
        CHECK(log.count(" info event=listener_up cluster=main listener=write\n") == 1);
        CHECK(log.count("event=primary_lost") == 0);
    }

    TEST_CASE("a cluster's first primary comes after nobody")
    {
        const captured_log log;
        proxy::tell_change({}, finished(topology_builder().primary("a")), {}, now);

        CHECK(log.count("timeline=1 previous=- lock_holder=a") == 1);
    }

    TEST_CASE("that a replica becomes the primary is no trouble of those who read")
    {
        const auto before = finished(topology_builder().replica("a").replica("b"));
        auto after = finished(topology_builder().primary("a").replica("b"));
        const struct
        {
            const char* rule;
            const char* level;
        } rows[] = {
            {"is-primary", " info "},
            {"holds-lock", " info "},
            {"fallback-over", " info "},
            {"silent", " warning "},
            {"lag", " warning "},
        };
        for (const auto& row : rows)
        {
            CAPTURE(row.rule);
            after.members[0].grants[1].rule = row.rule;
            const captured_log log;
            proxy::tell_change(before, after, {}, now);
            CHECK(
                log.count(
                    std::string(row.level) + "event=member_down cluster=main listener=read " +
                    "member=a verdict=closed rule=" + row.rule + " "
                ) == 1
            );
        }
    }

    TEST_CASE("a replica that says it is the primary without the lock is trouble")
    {
        const auto before = finished(topology_builder().primary("a").replica("b"));
        auto after = finished(topology_builder().primary("a").add(
            "b", member_role::primary, health::admission::closed, health::admission::closed
        ));
        after.members[1].grants[1].rule = "is-primary";
        const std::string told = "event=member_down cluster=main listener=read member=b "
                                 "verdict=closed rule=is-primary ";
        {
            const captured_log log;
            proxy::tell_change(before, after, {}, now);
            CHECK(log.count(" warning " + told) == 1);
        }
        // The lock is its own, though nobody may write to it yet.
        after.members[0].write.verdict = health::admission::closed;
        after.lock.holder = "b";
        const captured_log log;
        proxy::tell_change(before, after, {}, now);
        CHECK(log.count(" info " + told) == 1);
    }

    TEST_CASE("what changes nothing for anybody is one line")
    {
        const auto same = finished(topology_builder().primary("a").replica("b"));
        const captured_log log;
        proxy::tell_change(same, same, {"a", std::nullopt}, now);

        CHECK(log.count("event=") == 1);
    }

    TEST_CASE("a DCS that is lost and found again")
    {
        auto before = finished(topology_builder().primary("a"));
        before.dcs = {"etcd3", true, "10.0.0.9:2379", now, ""};
        auto after = before;
        after.dcs.connected = false;
        after.dcs.error = "Connection refused";
        const captured_log log;
        proxy::tell_change(before, after, {"a", std::nullopt}, now);
        proxy::tell_change(after, before, {"a", std::nullopt}, now);

        CHECK(
            log.count(" warning event=dcs_lost cluster=main source=etcd3 endpoint=10.0.0.9:2379 "
                      "error=\"Connection refused\"\n") == 1
        );
        CHECK(
            log.count(" info event=dcs_connected cluster=main source=etcd3 "
                      "endpoint=10.0.0.9:2379\n") == 1
        );
    }
}
