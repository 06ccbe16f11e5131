// SPDX-License-Identifier: PostgreSQL
#include "tests/support/monitor_fixture.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;
using health::admission;
using health::life_sign;

TEST_SUITE("monitor: discovery")
{
    TEST_CASE("every member is found from one seed, with its verdicts and its address")
    {
        fake_cluster cluster(3);
        running_monitor monitor(following({&cluster["b"]}));

        REQUIRE(run_until([&] { return monitor.leads("a"); }));
        CHECK(run_until([&] { return monitor.member("b").read.verdict == admission::open; }));
        CHECK(run_until([&] { return monitor.member("c").read.verdict == admission::open; }));
        const auto a = monitor.member("a");
        CHECK(a.address == "127.0.0.1");
        CHECK(a.port == 5432);
        CHECK(a.role == health::member_role::primary);
        CHECK(a.read.verdict == admission::closed);
        CHECK(std::string(a.write.rule) == "lock-and-word");
        CHECK(monitor.member("b").write.verdict == admission::closed);
        const auto t = monitor.seen().latest();
        CHECK(t->cluster == "main");
        CHECK(t->lock.holder == "a");
        CHECK(t->confirmed);
    }

    TEST_CASE("all seeds are members too: nobody is known twice")
    {
        fake_cluster cluster(3);
        running_monitor monitor(following({&cluster["a"], &cluster["b"], &cluster["c"]}));

        REQUIRE(run_until([&] { return monitor.leads("a"); }));

        CHECK(monitor.seen().latest()->members.size() == 3);
    }

    TEST_CASE("members are asked and led to where address_map says")
    {
        fake_cluster cluster(2);
        auto body = cluster.cluster_body();
        const auto said = "127.0.0.1:" + std::to_string(cluster["b"].port());
        for (auto at = body.find(said); at != body.npos; at = body.find(said))
            body.replace(at, said.size(), "10.255.255.1:8008");
        cluster["a"].answer("/cluster", reply::json(body));
        auto settings = following({&cluster["a"]});
        settings.patroni.address_map = {
            {"10.255.255.1:8008", {"127.0.0.1", cluster["b"].port()}},
            {"127.0.0.1:5432", {"/run/elsewhere", 0}}};
        running_monitor monitor(settings);

        REQUIRE(run_until([&] { return monitor.leads("a"); }));
        CHECK(run_until([&] { return monitor.member("b").word_seen.has_value(); }));
        CHECK(monitor.member("a").address == "/run/elsewhere");
        CHECK(monitor.member("a").port == 5432);
    }

    TEST_CASE("answers that arrive byte by byte are whole answers")
    {
        fake_cluster cluster(2);
        for (const char* name : {"a", "b"})
        {
            cluster[name].answer("/cluster", reply::in_bytes(cluster.cluster_body()));
            cluster[name].answer("/patroni", reply::in_bytes(cluster.member_body(name)));
        }
        running_monitor monitor(following({&cluster["a"]}));

        CHECK(run_until([&] { return monitor.leads("a"); }));
        CHECK(run_until([&] { return monitor.member("b").read.verdict == admission::open; }));
    }

    TEST_CASE("one good seed among bad ones is enough, and the bad ones do not delay it")
    {
        fake_cluster cluster(2);
        fake_patroni refusing;
        fake_patroni hanging;
        fake_patroni mute;
        fake_patroni garbage;
        fake_patroni unavailable;
        fake_patroni endless;
        fake_patroni foreign;
        refusing.refuse();
        hanging.answer("", reply::silence());
        mute.answer("", reply::nothing());
        garbage.answer("", {{std::string("\x15\x03\x01\x00\x02\x02\x0a\xff\x00\r\n", 11)}});
        unavailable.answer("", reply::json("{}", 503));
        endless.answer("", reply::json(std::string(2 * 1024 * 1024, ' ')));
        foreign.answer("", reply::json("<html>"));
        const auto& good = cluster["a"];
        auto settings = following(
            {&refusing, &hanging, &mute, &garbage, &unavailable, &endless, &foreign, &good}
        );
        settings.patroni.timeout = scaled(8s);
        const auto began = std::chrono::steady_clock::now();
        running_monitor monitor(settings);

        REQUIRE(run_until([&] { return monitor.leads("a"); }));
        CHECK(std::chrono::steady_clock::now() - began < scaled(7800ms));

        const auto failed = [&](const fake_patroni& seed, const char* words)
        { return run_until([&] { return monitor.failed(seed.address(), words); }); };
        CHECK(failed(refusing, "connect: Connection refused"));
        CHECK(failed(hanging, "timed out"));
        CHECK(failed(mute, "closed without an answer"));
        CHECK(failed(garbage, "answer: "));
        CHECK(failed(unavailable, "HTTP status 503"));
        CHECK(failed(endless, "body limit exceeded"));
        CHECK(failed(foreign, "answer to /cluster: "));
        CHECK(monitor.leads("a"));
    }

    TEST_CASE("a truncated answer is no answer")
    {
        fake_cluster cluster(1);
        const auto body = cluster.cluster_body();
        cluster["a"].answer("/cluster", reply::json(body.substr(0, body.size() / 2)));
        running_monitor monitor(following({&cluster["a"]}));

        CHECK(run_until([&] { return monitor.failed(cluster["a"].address(), "/cluster"); }));
        CHECK(monitor.seen().latest()->members.empty());

        cluster.lead("a");
        CHECK(run_until([&] { return monitor.leads("a"); }));
    }

    TEST_CASE("seeds that are all dead are asked again until one lives")
    {
        fake_cluster cluster(2);
        cluster["a"].refuse();
        cluster["b"].refuse();
        running_monitor monitor(following({&cluster["a"], &cluster["b"]}));
        REQUIRE(run_until([&] { return monitor.failed(cluster["a"].address(), "refused"); }));
        CHECK(monitor.seen().latest()->members.empty());

        cluster["b"].listen();
        CHECK(run_until([&] { return monitor.member("b").read.verdict == admission::open; }));
        CHECK(!monitor.leads("a")); // its word is still missing

        cluster["a"].listen();
        CHECK(run_until([&] { return monitor.leads("a"); }));
    }

    TEST_CASE("a view that nobody confirms becomes stale")
    {
        fake_cluster cluster(2);
        auto settings = following({&cluster["a"]});
        settings.stale_after = scaled(300ms);
        running_monitor monitor(settings);
        REQUIRE(run_until([&] { return monitor.leads("a"); }));
        CHECK(run_until([&] { return !monitor.seen().latest()->stale(health::clock::now()); }));

        cluster["a"].refuse();
        cluster["b"].refuse();

        CHECK(run_until([&] { return monitor.seen().latest()->stale(health::clock::now()); }));

        cluster["b"].listen();
        cluster["a"].listen();
        CHECK(run_until(
            [&]
            { return monitor.leads("a") && !monitor.seen().latest()->stale(health::clock::now()); }
        ));
    }
}

TEST_SUITE("monitor: scope")
{
    TEST_CASE("a seed of another cluster is refused, with its scope in the words")
    {
        fake_cluster cluster(1);
        cluster["a"].answer("/cluster", reply::json(cluster.cluster_body("other")));
        auto settings = following({&cluster["a"]});
        settings.patroni.scope = "demo";
        running_monitor monitor(settings);

        CHECK(run_until([&] { return monitor.failed(cluster["a"].address(), "scope 'other'"); }));
        CHECK(monitor.seen().latest()->members.empty());
    }

    TEST_CASE("a member that speaks for another cluster is not believed")
    {
        fake_cluster cluster(2);
        cluster["a"].answer("/patroni", reply::json(cluster.member_body("a", "other")));
        auto settings = following({&cluster["b"]});
        settings.patroni.scope = "demo";
        running_monitor monitor(settings);

        CHECK(run_until([&] { return monitor.failed("a", "scope 'other'"); }));
        CHECK(!monitor.leads("a"));
    }
}

TEST_SUITE("monitor: changes")
{
    TEST_CASE("the lock moves from a to b, and at no time there are two writers")
    {
        fake_cluster cluster(3);
        running_monitor monitor(following({&cluster["a"], &cluster["b"], &cluster["c"]}));
        REQUIRE(run_until([&] { return monitor.leads("a"); }));

        cluster.lead("");
        CHECK(run_until([&] { return monitor.member("a").write.verdict != admission::open; }));
        cluster.lead("b");

        CHECK(run_until([&] { return monitor.leads("b"); }));
        CHECK(run_until([&] { return monitor.member("a").read.verdict == admission::open; }));
        CHECK(monitor.member("a").write.verdict == admission::closed);
        CHECK(monitor.seen().most_writers() == 1);
        CHECK(!monitor.seen().generation_shrank());
        CHECK(monitor.seen().latest()->highest_timeline == 2);
    }

    TEST_CASE("a holder of the lock whose REST API falls silent stays open")
    {
        fake_cluster cluster(2);
        running_monitor monitor(following({&cluster["b"]}));
        REQUIRE(run_until([&] { return monitor.leads("a"); }));

        cluster["a"].refuse();

        REQUIRE(run_until([&] { return !monitor.member("a").error.empty(); }));
        CHECK(monitor.leads("a"));
        CHECK(std::string(monitor.member("a").write.rule) == "degraded");
    }

    TEST_CASE("the lock of a silent holder is watched closely for as long as it is silent")
    {
        fake_cluster cluster(3);
        cluster["a"].answer("/config", reply::json(R"({"ttl":1})"));
        cluster["b"].answer("/config", reply::json(R"({"ttl":1})"));
        cluster["c"].answer("/config", reply::json(R"({"ttl":1})"));
        auto settings = following({&cluster["b"]});
        settings.patroni.interval = 500ms;
        running_monitor monitor(settings);
        REQUIRE(run_until([&] { return monitor.leads("a"); }));
        REQUIRE(run_until(
            [&]
            {
                return cluster["a"].requests("/config") + cluster["b"].requests("/config") +
                           cluster["c"].requests("/config") >
                       0;
            }
        ));
        cluster["a"].refuse();
        const auto since = std::chrono::steady_clock::now();
        REQUIRE(run_until([&] { return std::chrono::steady_clock::now() - since > 2500ms; }));
        REQUIRE(std::string(monitor.member("a").write.rule) == "degraded");

        // Other bursts end after two ttl, two seconds here. This one must not: 40 listings in
        // ten seconds, not the twenty of steady polling.
        const auto before = cluster["b"].requests("/cluster") + cluster["c"].requests("/cluster");
        CHECK(run_until(
            [&] {
                return cluster["b"].requests("/cluster") + cluster["c"].requests("/cluster") >=
                       before + 40;
            },
            10s
        ));
    }

    TEST_CASE("without the DCS the member that answers 200 to /primary is the primary")
    {
        fake_cluster cluster(2);
        running_monitor monitor(following({&cluster["a"]}));
        REQUIRE(run_until([&] { return monitor.leads("a"); }));

        cluster.lose_dcs();

        CHECK(run_until(
            [&] { return std::string(monitor.member("a").write.rule) == "rest-only"; }, 10s
        ));
        CHECK(monitor.leads("a"));
        CHECK(cluster["a"].requests("/primary") > 0);

        cluster.lead("a");
        CHECK(run_until([&]
                        { return std::string(monitor.member("a").write.rule) == "lock-and-word"; })
        );
    }

    TEST_CASE("a member that is removed is no longer listed and takes nobody")
    {
        fake_cluster cluster(3);
        running_monitor monitor(following({&cluster["a"]}));
        REQUIRE(run_until([&] { return monitor.member("c").read.verdict == admission::open; }));

        cluster.unlist("c");
        cluster["c"].refuse();

        CHECK(run_until([&] { return !monitor.member("c").listed; }));
        CHECK(run_until([&] { return monitor.member("c").read.verdict != admission::open; }));
        CHECK(monitor.leads("a"));
        CHECK(monitor.member("b").read.verdict == admission::open);
    }

    TEST_CASE("a member that joins is found")
    {
        fake_cluster cluster(3);
        cluster.unlist("c");
        running_monitor monitor(following({&cluster["a"]}));
        REQUIRE(run_until([&] { return monitor.member("b").read.verdict == admission::open; }));
        CHECK(monitor.seen().latest()->members.size() == 2);

        cluster.list("c");

        CHECK(run_until([&] { return monitor.member("c").read.verdict == admission::open; }));
    }

    TEST_CASE("the members' verdicts outlive the seed they were found from")
    {
        fake_cluster cluster(3);
        running_monitor monitor(following({&cluster["c"]}));
        REQUIRE(run_until([&] { return monitor.leads("a"); }));

        cluster["c"].refuse();
        cluster.lead("b");

        CHECK(run_until([&] { return monitor.leads("b"); }));
    }
}

TEST_SUITE("monitor: Patroni 4.1 in quorum mode")
{
    TEST_CASE("each listener leads to those for whom the endpoint of its role answers 200")
    {
        fake_cluster cluster(4);
        // As members of that version speak: b and c are quorum standbys, d is not.
        const auto body = [](const std::string& role, const std::string& more)
        {
            return R"({"state":"running","postmaster_start_time":"2026-02-01 08:00:00+00:00",)"
                   R"("role":")" +
                   role + R"(","server_version":180001,"timeline":7,)" + more +
                   R"(,"dcs_last_seen":1769932800,)"
                   R"("database_system_identifier":"7457902831122874386",)"
                   R"("patroni":{"version":"4.1.0","scope":"demo"}})";
        };
        const std::string replica = R"("xlog":{"received_location":50331784,)"
                                    R"("replayed_location":50331648,"replayed_timestamp":null,)"
                                    R"("paused":false},"replication_state":"streaming")";
        const std::map<std::string, std::string> bodies{
            {"a", body("primary", R"("xlog":{"location":50331784})")},
            {"b", body("replica", R"("quorum_standby":true,)" + replica)},
            {"c", body("replica", R"("quorum_standby":true,)" + replica)},
            {"d", body("replica", replica)}};
        auto listing = cluster.cluster_body();
        for (const char* name : {"b", "c"})
        {
            const auto was = R"("name":")" + std::string(name) + R"(","role":"replica")";
            const auto at = listing.find(was);
            REQUIRE(at != listing.npos);
            listing.replace(
                at, was.size(), R"("name":")" + std::string(name) + R"(","role":"quorum_standby")"
            );
        }
        for (const auto& [name, text] : bodies)
        {
            cluster[name].answer("/patroni", reply::json(text));
            cluster[name].answer("/primary", reply::json(text, name == "a" ? 200 : 503));
            cluster[name].answer("/cluster", reply::json(listing));
        }
        using config::listener_role;
        const std::pair<listener_role, std::string> wanted[] = {
            {listener_role::quorum, "bc"},
            {listener_role::read_only_quorum, "abc"},
            {listener_role::sync, ""},
            {listener_role::read_only_sync, "a"},
            {listener_role::async, "d"},
            {listener_role::replica, "bcd"}};
        std::vector<health::demand> demands;
        for (const auto& [role, names] : wanted)
            demands.push_back(demand_of(role));
        running_monitor monitor(following({&cluster["a"]}), demands);

        for (std::size_t i = 0; i < demands.size(); ++i)
        {
            CAPTURE(i);
            const auto open = [&]
            {
                std::string names;
                for (const char* name : {"a", "b", "c", "d"})
                {
                    const auto m = monitor.member(name);
                    if (i < m.grants.size() && m.grants[i].verdict == admission::open)
                        names += name;
                }
                return names;
            };
            CHECK(run_until([&] { return open() == wanted[i].second; }));
        }
        CHECK(monitor.member("b").sync == health::sync_state::quorum);
        CHECK(monitor.member("d").sync == health::sync_state::async);
    }
}

TEST_SUITE("monitor: life")
{
    TEST_CASE("a primary that has refused clients is open again by a newer word only")
    {
        fake_cluster cluster(2);
        auto settings = following({&cluster["b"]});
        running_monitor monitor(settings);
        REQUIRE(run_until([&] { return monitor.leads("a"); }));
        cluster["a"].answer("", reply::silence());

        monitor.hint("a", life_sign::refused);
        REQUIRE(run_until([&] { return monitor.member("a").write.verdict == admission::keep; }));
        CHECK(std::string(monitor.member("a").write.rule) == "refuses");

        cluster.lead("a");
        CHECK(run_until([&] { return monitor.leads("a"); }));
    }
}

TEST_SUITE("monitor: silence")
{
    TEST_CASE("a replica that is silent to us and to clients is shut until it speaks")
    {
        fake_cluster cluster(2);
        running_monitor monitor(following({&cluster["a"]}));
        const auto reads = [&](admission verdict, const char* rule)
        {
            const auto b = monitor.member("b");
            return b.read.verdict == verdict && std::string(b.read.rule) == rule;
        };
        REQUIRE(run_until([&] { return reads(admission::open, "running-replica"); }));
        cluster["b"].refuse();
        REQUIRE(run_until([&] { return reads(admission::open, "listed-replica"); }));

        monitor.hint("b", life_sign::ended);
        monitor.hint("b", life_sign::silent);
        REQUIRE(run_until([&] { return reads(admission::keep, "silent"); }));

        cluster["b"].listen();
        CHECK(run_until([&] { return reads(admission::open, "running-replica"); }));
    }
}

TEST_SUITE("monitor: pace")
{
    TEST_CASE("a settled cluster is asked at the interval, and in a burst after a hint")
    {
        fake_cluster cluster(2);
        auto settings = following({&cluster["a"], &cluster["b"]});
        settings.patroni.interval = 1h;
        running_monitor monitor(settings);
        REQUIRE(run_until([&] { return monitor.leads("a"); }));
        REQUIRE(run_until([&] { return cluster["a"].requests("/patroni") >= 1; }));
        const auto calm = cluster["a"].requests("/patroni");

        CHECK(run_until(
            [&]
            {
                // A burst is short; one that a busy machine has slept through is begun again.
                monitor.hint("a", life_sign::ended);
                monitor.hint("b", life_sign::ended);
                return cluster["a"].requests("/patroni") >= calm + 5;
            }
        ));
    }

    TEST_CASE("a burst after a hint ends by itself")
    {
        fake_cluster cluster(1);
        auto settings = following({&cluster["a"]});
        settings.patroni.interval = 1h;
        running_monitor monitor(settings);
        REQUIRE(run_until([&] { return monitor.leads("a"); }));
        monitor.hint("a", life_sign::ended);
        REQUIRE(run_until([&] { return cluster["a"].requests("/patroni") >= 3; }));

        std::size_t last = 0;
        auto since = std::chrono::steady_clock::now();
        const bool calm = run_until(
            [&]
            {
                if (const auto now = cluster["a"].requests(); now != last)
                {
                    last = now;
                    since = std::chrono::steady_clock::now();
                }
                return std::chrono::steady_clock::now() - since > 500ms;
            }
        );

        CHECK(calm);
    }

    TEST_CASE("no member is ever asked two things at once")
    {
        fake_cluster cluster(3);
        auto settings = following({&cluster["a"], &cluster["b"], &cluster["c"]});
        settings.patroni.interval = 10ms;
        settings.patroni.fast_interval = 1ms;
        running_monitor monitor(settings);

        REQUIRE(run_until(
            [&]
            {
                monitor.hint("a", life_sign::ended);
                return cluster["a"].requests() + cluster["b"].requests() > 100;
            }
        ));

        for (const char* name : {"a", "b", "c"})
            CHECK(cluster[name].most_at_once() == 1);
    }

    TEST_CASE("a stopped monitor leaves nothing under way, not even at a seed that hangs")
    {
        fake_patroni hanging;
        hanging.answer("", reply::silence());
        running_monitor monitor(following({&hanging}));
        REQUIRE(run_until([&] { return hanging.requests() == 1; }));

        monitor.stop();

        CHECK(run_until([&] { return monitor.ended(); }));
    }
}
