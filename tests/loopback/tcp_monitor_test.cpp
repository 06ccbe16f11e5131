// SPDX-License-Identifier: PostgreSQL
//
// The monitor of a cluster of kind `tcp` before real sockets. How it counts is check_count_test's.
#include "health/tcp_monitor.hpp"

#include "tests/support/fake_postgres.hpp"
#include "tests/support/monitor_fixture.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;
using health::admission;
using health::life_sign;

namespace
{

std::string name_of(std::uint16_t port)
{
    return "127.0.0.1:" + std::to_string(port);
}

config::cluster_settings checking(const std::vector<std::uint16_t>& ports)
{
    config::cluster_settings s;
    s.name = "main";
    auto& tcp = s.tcp.emplace();
    for (const auto port : ports)
        tcp.members.push_back({"127.0.0.1", port});
    tcp.check.inter = 20ms;
    tcp.check.timeout = scaled(5s);
    return s;
}

bool is(const running_monitor& monitor, std::uint16_t port, admission verdict)
{
    return run_until(
        [&]
        {
            const auto m = monitor.member(name_of(port));
            return !m.name.empty() && m.word_seen && m.read.verdict == verdict;
        }
    );
}

std::size_t bad_checks(const running_monitor& monitor)
{
    const auto checks = monitor.seen().checks();
    return static_cast<std::size_t>(
        std::ranges::count_if(checks, [](const auto& c) { return !c.error.empty(); })
    );
}

} // namespace

TEST_SUITE("tcp monitor")
{
    TEST_CASE("a member opens with its first good check, and stays closed with a bad one")
    {
        fake_postgres up;
        fake_postgres down;
        down.refuse();
        running_monitor monitor(checking({up.port(), down.port()}));

        REQUIRE(is(monitor, up.port(), admission::open));
        REQUIRE(is(monitor, down.port(), admission::closed));

        const auto m = monitor.member(name_of(up.port()));
        CHECK(m.host == "127.0.0.1");
        CHECK(m.port == up.port());
        CHECK(m.address == "127.0.0.1");
        CHECK(m.state_text == "UP");
        CHECK(std::string(m.read.rule) == "check-passed");
        CHECK(m.read.reason == "the last check passed");
        CHECK(m.write.verdict == admission::closed);
        const auto other = monitor.member(name_of(down.port()));
        CHECK(other.state_text == "DOWN");
        CHECK(std::string(other.read.rule) == "check-failed");
        CHECK(other.read.reason.ends_with("failed: connect: Connection refused"));
        CHECK_FALSE(monitor.seen().latest()->has_roles());
        CHECK(monitor.seen().latest()->confirmed);
        const auto first = monitor.seen().checks().front();
        CHECK(first.cluster == "main");
        CHECK(std::string(first.source) == "tcp");
    }

    TEST_CASE("a member goes down after `fall` bad checks and up after `rise` good ones")
    {
        fake_postgres server;
        running_monitor monitor(checking({server.port()}));
        REQUIRE(is(monitor, server.port(), admission::open));
        const auto before = monitor.seen().latest()->generation;

        server.refuse();
        REQUIRE(is(monitor, server.port(), admission::closed));
        CHECK(bad_checks(monitor) >= 3);
        CHECK(
            monitor.member(name_of(server.port())).read.reason ==
            "3 of 3 checks failed: connect: Connection refused"
        );
        CHECK(
            monitor.seen().latest()->cause ==
            name_of(server.port()) + " is DOWN: 3 of 3 checks failed: connect: Connection refused"
        );
        const auto accepted = server.accepted();
        server.listen();
        REQUIRE(is(monitor, server.port(), admission::open));

        CHECK(run_until([&] { return server.accepted() >= accepted + 2; }));
        CHECK(monitor.seen().latest()->generation == before + 2);
        CHECK_FALSE(monitor.seen().generation_shrank());
    }

    TEST_CASE("an operator's order is told at once, without another check")
    {
        fake_postgres server;
        auto settings = checking({server.port()});
        settings.tcp->check.inter = 1h;
        settings.tcp->check.fastinter = 1h;
        running_monitor monitor(settings);
        REQUIRE(is(monitor, server.port(), admission::open));
        const auto name = name_of(server.port());
        const auto ordered = [&](health::operator_state state)
        { return run_until([&] { return monitor.member(name).order.state == state; }); };

        monitor.obey({{name, {health::operator_state::maint, "in maintenance, by dba"}}});
        CHECK(ordered(health::operator_state::maint));
        CHECK(monitor.seen().latest()->generation == 2);
        CHECK(monitor.seen().latest()->cause == name + " in maintenance, by dba");
        CHECK(monitor.member(name).read.verdict == admission::open); // what it is has not changed

        monitor.obey({});
        CHECK(ordered(health::operator_state::ready));
        CHECK(monitor.seen().latest()->generation == 3);
    }

    TEST_CASE("a view is as good as its pauses are long")
    {
        fake_postgres server;
        auto settings = checking({server.port()});
        settings.tcp->check.inter = 1h;
        settings.tcp->check.fastinter = 1h;
        running_monitor monitor(settings);
        REQUIRE(is(monitor, server.port(), admission::open));
        CHECK(monitor.seen().latest()->stale_after >= 2h);
        CHECK(monitor.seen().latest()->generation == 1);
    }

    TEST_CASE("a client that was refused makes for an early check")
    {
        fake_postgres server;
        auto settings = checking({server.port()});
        settings.tcp->check.inter = 1h;
        settings.tcp->check.fastinter = 20ms;
        running_monitor monitor(settings);
        REQUIRE(is(monitor, server.port(), admission::open));

        REQUIRE(run_until([&] { return server.accepted() == 1; }));
        monitor.hint(name_of(server.port()), life_sign::ended);
        monitor.hint("nobody", life_sign::refused);
        server.refuse();
        monitor.hint(name_of(server.port()), life_sign::refused);

        // The first bad check makes the next ones come at fastinter as well.
        CHECK(is(monitor, server.port(), admission::closed));
        CHECK(bad_checks(monitor) == 3);
        CHECK(server.accepted() == 1);
    }

    TEST_CASE("members that cannot be reached do not delay the others")
    {
        fake_postgres hung;
        fake_postgres server;
        hung.ignore();
        auto settings = checking({hung.port(), server.port()});
        settings.tcp->members.push_back({"no.such.host.invalid", 1});
        settings.tcp->check.timeout = scaled(300ms);
        running_monitor monitor(settings);

        CHECK(is(monitor, server.port(), admission::open));
        CHECK(run_until([&] { return monitor.failed(name_of(hung.port()), "timed out"); }));
        CHECK(run_until([&] { return monitor.failed("no.such.host.invalid:1", "has no address"); })
        );
    }

    TEST_CASE("while nobody is up the first checks do not wait for their turn")
    {
        fake_postgres down;
        fake_postgres up;
        down.refuse();
        auto settings = checking({down.port(), down.port(), up.port()});
        settings.tcp->members[0].host = "127.0.0.2";
        settings.tcp->check.inter = 1h;
        settings.tcp->check.downinter = 1h;
        running_monitor monitor(settings);

        CHECK(is(monitor, up.port(), admission::open));
    }

    TEST_CASE("a hundred members that go down are a hundred decisions, not more")
    {
        fake_postgres server;
        auto settings = checking({});
        for (int i = 1; i <= 100; ++i)
            settings.tcp->members.push_back({"127.0.0." + std::to_string(i), server.port()});
        settings.tcp->check.inter = 200ms;
        running_monitor monitor(settings);
        REQUIRE(is(monitor, server.port(), admission::open));
        const auto known = [&]
        {
            const auto t = monitor.seen().latest();
            return std::ranges::all_of(
                t->members, [](const auto& m) { return m.word_seen.has_value(); }
            );
        };
        REQUIRE(run_until(known));

        const auto t = monitor.seen().latest();
        CHECK(t->members.size() == 100);
        CHECK(std::ranges::is_sorted(t->members, {}, &health::member::name));
        CHECK(t->generation == 100);
        const auto open = std::ranges::count_if(
            t->members, [](const auto& m) { return m.read.verdict == admission::open; }
        );
        CHECK(open == 1);
        CHECK_FALSE(t->stale(health::clock::now()));
    }

    TEST_CASE("an HTTP check wants the right status, on the right port, and says who asks how")
    {
        struct row
        {
            reply answer;
            unsigned expected;
            std::string error;
        };
        const row rows[] = {
            {reply::json("{}", 200), 0, ""},
            {reply::json("{}", 204), 0, ""},
            {reply::json("{}", 301), 0, ""},
            {reply::json("{}", 404), 0, "HTTP status 404"},
            {reply::json("{}", 503), 0, "HTTP status 503"},
            {reply::json("{}", 503), 503, ""},
            {reply::json("{}", 200), 503, "HTTP status 200"},
            // Patroni's own, without a header.
            {{{"HTTP/1.0 200 OK\r\n\r\n"}}, 200, ""},
            {{{"HTTP/1.0 503 Service Unavailable\r\n\r\n"}}, 200, "HTTP status 503"},
            {{{"garbage\r\n"}}, 0, "answer: "},
            {reply::nothing(), 0, "closed without an answer"},
            {reply::silence(), 0, "timed out"},
        };
        fake_postgres service;
        for (const auto& r : rows)
        {
            CAPTURE(r.error);
            CAPTURE(r.expected);
            fake_patroni checked;
            checked.answer("/health", r.answer);
            auto settings = checking({service.port()});
            settings.tcp->check.timeout = scaled(500ms);
            settings.tcp->check.http = {"OPTIONS", "/health", checked.port(), r.expected};
            running_monitor monitor(settings);

            CHECK(is(monitor, service.port(), r.error.empty() ? admission::open : admission::closed)
            );
            const auto check = monitor.seen().checks().front();
            CHECK(std::string(check.source) == "http");
            CHECK(check.path == "/health");
            CHECK(check.error.find(r.error) != check.error.npos);
            CHECK(checked.requests("/health") > 0);
        }
        CHECK(service.accepted() == 0);
    }

    TEST_CASE("the request of a check is what HAProxy would ask")
    {
        fake_postgres server(
            [](stream& s)
            {
                s.receive(1);
                s.send(bytes_of("HTTP/1.1 200 OK\r\n\r\n"));
                s.receive_to_end();
            }
        );
        auto settings = checking({server.port()});
        settings.tcp->check.http = {"HEAD", "/replica?lag=1MB", 0, 0};
        running_monitor monitor(settings);
        REQUIRE(is(monitor, server.port(), admission::open));

        std::string text;
        const auto is_whole = [&]
        {
            const auto asked = server.received();
            text.assign(reinterpret_cast<const char*>(asked.data()), asked.size());
            return text.ends_with("\r\n\r\n");
        };
        CHECK(run_until(is_whole));
        CHECK(text.starts_with("HEAD /replica?lag=1MB HTTP/1.1\r\nHost: 127.0.0.1\r\n"));
        CHECK(text.find("Connection: close\r\n") != text.npos);
    }

    TEST_CASE("a monitor that is stopped ends, whatever is under way")
    {
        fake_postgres hung;
        fake_postgres server;
        hung.ignore();
        auto settings = checking({hung.port(), server.port()});
        settings.tcp->check.timeout = scaled(1s);
        settings.tcp->check.inter = 1h;
        running_monitor monitor(settings);
        REQUIRE(is(monitor, server.port(), admission::open));

        monitor.stop();

        CHECK(run_until([&] { return monitor.ended(); }));
    }
}
