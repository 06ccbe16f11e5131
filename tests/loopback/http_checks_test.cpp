// SPDX-License-Identifier: PostgreSQL
//
// `check` beside `patroni` and `postgres`: members are asked over HTTP as well.
#include "health/http_checks.hpp"

#include "tests/support/fake_postgres.hpp"
#include "tests/support/monitor_fixture.hpp"
#include "tests/support/sql_answers.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;
using health::admission;

namespace
{

config::check_settings checking(const fake_patroni& checked)
{
    config::check_settings s;
    s.inter = 20ms;
    s.timeout = scaled(2000ms);
    s.http = config::http_check_settings{"GET", "/ready", checked.port(), 0};
    return s;
}

// Index 0 is the listener for writes, 1 that for reads.
std::string rule_of(const running_monitor& m, const std::string& member, std::size_t listener)
{
    const auto known = m.member(member);
    return listener < known.grants.size() ? known.grants[listener].rule : "";
}

} // namespace

TEST_SUITE("monitor: checks over HTTP")
{
    TEST_CASE("a member of Patroni's gets sessions while its check passes")
    {
        fake_patroni checked;
        checked.answer("/ready", reply::json("{}", 503));
        fake_cluster cluster(2);
        auto settings = following({&cluster["a"]});
        settings.check = checking(checked);
        running_monitor monitor(settings);

        // The first check alone decides, and the primary is one all the same.
        REQUIRE(run_until([&] { return monitor.leads("a"); }));
        CHECK(run_until([&] { return rule_of(monitor, "b", 1) == "http-check"; }));
        CHECK(rule_of(monitor, "a", 0) == "http-check");
        CHECK(monitor.member("a").grants[0].verdict == admission::keep);

        checked.answer("/ready", reply::json("{}", 200));
        CHECK(run_until([&] { return rule_of(monitor, "a", 0) == "lock-and-word"; }));
        CHECK(run_until([&] { return rule_of(monitor, "b", 1) == "running-replica"; }));
        CHECK(monitor.member("a").check_text == "UP");

        checked.answer("/ready", reply::json("{}", 503));
        CHECK(run_until([&] { return rule_of(monitor, "a", 0) == "http-check"; }));
        CHECK(run_until([&] { return rule_of(monitor, "b", 1) == "http-check"; }));
        const auto b = monitor.member("b");
        CHECK(b.grants[1].verdict == admission::keep);
        CHECK(b.grants[1].reason.find("HTTP status 503") != std::string::npos);
        CHECK(b.read.verdict == admission::open);
        CHECK(monitor.leads("a"));

        const auto checks = monitor.seen().checks();
        const auto is_ours = [](const auto& c)
        { return std::string_view(c.source) == "http" && c.path == "/ready" && c.member == "a"; };
        CHECK(std::ranges::any_of(checks, is_ours));
    }

    TEST_CASE("so many bad checks in a row, and so many good ones, change a mind")
    {
        fake_patroni checked;
        checked.answer("/ready", reply::json("{}", 200));
        fake_cluster cluster(1);
        auto settings = following({&cluster["a"]});
        settings.check = checking(checked);
        settings.check->fall = 3;
        settings.check->rise = 2;
        running_monitor monitor(settings);
        REQUIRE(run_until([&] { return rule_of(monitor, "a", 0) == "lock-and-word"; }));

        checked.answer("/ready", reply::json("{}", 500));
        REQUIRE(run_until([&] { return rule_of(monitor, "a", 0) == "http-check"; }));
        const auto failures = [&]
        {
            const auto checks = monitor.seen().checks();
            return std::ranges::count_if(
                checks,
                [](const auto& c)
                { return std::string_view(c.source) == "http" && !c.error.empty(); }
            );
        };
        CHECK(failures() >= 3);
        checked.answer("/ready", reply::json("{}", 200));
        CHECK(run_until([&] { return rule_of(monitor, "a", 0) == "lock-and-word"; }));
    }

    TEST_CASE("a member that is forgotten is not checked any more")
    {
        fake_patroni checked;
        checked.answer("/ready", reply::json("{}", 200));
        config::cluster_settings settings;
        settings.check = checking(checked);
        boost::asio::io_context control(1);
        health::check_reports reports;
        recorder seen;
        int changes = 0;
        health::http_checks checks(control, settings, reports, seen, [&] { ++changes; });
        const auto life = std::make_shared<const int>(); // of whoever has the checks
        health::topology t;
        auto& m = t.members.emplace_back();
        m.name = "a";
        m.host = "127.0.0.1";
        m.port = checked.port();

        checks.follow(t, life);
        REQUIRE(run_until(
            [&]
            {
                control.run_for(5ms);
                return seen.checks().size() > 2;
            }
        ));
        CHECK(reports.at("a").passed);
        CHECK(changes == 1);
        CHECK_FALSE(control.stopped());

        t.members.clear();
        checks.follow(t, life);
        CHECK(reports.empty());
        const auto known = seen.checks().size();
        // Nothing is left to do, and nobody is told of what was under way.
        control.run_for(scaled(10s));
        CHECK(control.stopped());
        CHECK(seen.checks().size() == known);
        CHECK(reports.empty());
    }

    TEST_CASE("checks end with their monitor")
    {
        fake_patroni checked;
        checked.answer("/ready", reply::json("{}", 200));
        fake_cluster cluster(1);
        auto settings = following({&cluster["a"]});
        settings.check = checking(checked);
        running_monitor monitor(settings);
        REQUIRE(run_until([&] { return checked.requests("/ready") > 2; }));

        monitor.stop();
        CHECK(run_until([&] { return monitor.ended(); }));
    }

    TEST_CASE("without Patroni too")
    {
        fake_patroni checked;
        checked.answer("/ready", reply::json("{}", 200));
        fake_postgres server(
            [](stream& s)
            {
                if (take_startup(s).empty())
                    return;
                s.send(login_answer());
                for (auto m = s.receive_message(); !m.empty() && m != terminate();
                     m = s.receive_message())
                    s.send(sql_answer(false, 1) + ready('I'));
            }
        );
        config::cluster_settings settings;
        settings.name = "plain";
        auto& p = settings.postgres.emplace();
        p.members = {{"127.0.0.1", server.port()}};
        p.sql.user = "rolegate";
        p.interval = 60ms;
        p.timeout = scaled(2000ms);
        settings.check = checking(checked);
        running_monitor monitor(settings);
        const auto name = "127.0.0.1:" + std::to_string(server.port());

        CHECK(run_until([&] { return rule_of(monitor, name, 0) == "only-primary"; }));
        checked.answer("/ready", reply::json("{}", 503));
        CHECK(run_until([&] { return rule_of(monitor, name, 0) == "http-check"; }));
        CHECK(monitor.leads(name));
        checked.answer("/ready", reply::json("{}", 200));
        CHECK(run_until([&] { return rule_of(monitor, name, 0) == "only-primary"; }));
    }
}
