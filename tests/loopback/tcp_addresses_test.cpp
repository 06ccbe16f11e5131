// SPDX-License-Identifier: PostgreSQL
//
// Members of a cluster of kind `tcp` whose names have several addresses, or none in time.
#include "tests/support/fake_postgres.hpp"
#include "tests/support/monitor_fixture.hpp"
#include "tests/support/scripted_names.hpp"
#include "tests/support/silent_address.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;
using health::address_list;
using health::admission;

namespace
{

constexpr const char* refused = "connect: Connection refused";

config::cluster_settings checking(const std::string& host, std::uint16_t port)
{
    config::cluster_settings s;
    s.name = "main";
    auto& tcp = s.tcp.emplace();
    tcp.members.push_back({host, port});
    tcp.check.inter = 20ms;
    tcp.check.timeout = scaled(2s);
    return s;
}

bool is(const running_monitor& monitor, const std::string& member, admission verdict)
{
    return run_until(
        [&]
        {
            const auto m = monitor.member(member);
            return m.word_seen && m.read.verdict == verdict;
        }
    );
}

bool all_good(const running_monitor& monitor)
{
    const auto checks = monitor.seen().checks();
    return std::ranges::all_of(checks, [](const auto& c) { return c.error.empty(); });
}

} // namespace

TEST_SUITE("tcp monitor: names")
{
    TEST_CASE("a member is up where its second address answers, and clients are led there")
    {
        fake_postgres server;
        scripted_names names;
        names.say("svc.test", {"127.0.0.9", "127.0.0.1"}); // nobody listens at the first one
        const auto name = "svc.test:" + std::to_string(server.port());
        running_monitor monitor(checking("svc.test", server.port()), write_and_read(), names.how());

        REQUIRE(is(monitor, name, admission::open));
        REQUIRE(run_until([&] { return server.accepted() >= 5; }));

        const auto m = monitor.member(name);
        CHECK(m.state_text == "UP");
        CHECK(m.address == "127.0.0.1");
        CHECK(m.other_addresses.empty()); // the other one has refused
        CHECK(m.read.reason == "the last check passed, at 127.0.0.1");
        CHECK(all_good(monitor));
        CHECK(monitor.seen().latest()->generation == 1);
    }

    TEST_CASE("IPv6 comes first and is silent: its part of the time is lost, the member is up")
    {
        fake_postgres server;
        const silent_address dead(server.port());
        scripted_names names;
        names.say("svc.test", {"::1", "127.0.0.1"});
        const auto name = "svc.test:" + std::to_string(server.port());
        auto settings = checking("svc.test", server.port());
        settings.tcp->check.timeout = scaled(600ms);
        running_monitor monitor(settings, write_and_read(), names.how());

        REQUIRE(is(monitor, name, admission::open));

        CHECK(monitor.member(name).address == "127.0.0.1");
        CHECK(monitor.member(name).other_addresses.empty());
        CHECK(all_good(monitor));
    }

    TEST_CASE("what nothing is known against is there to be tried; it is down when all have failed")
    {
        fake_postgres server;
        scripted_names names;
        names.say("svc.test", {"127.0.0.1", "127.0.0.9"});
        const auto name = "svc.test:" + std::to_string(server.port());
        running_monitor monitor(checking("svc.test", server.port()), write_and_read(), names.how());
        REQUIRE(is(monitor, name, admission::open));
        CHECK(monitor.member(name).address == "127.0.0.1");
        CHECK(monitor.member(name).other_addresses == address_list{"127.0.0.9"});

        server.refuse();
        REQUIRE(is(monitor, name, admission::closed));
        CHECK(
            monitor.member(name).read.reason ==
            "3 of 3 checks failed: 127.0.0.1: " + std::string(refused) + "; 127.0.0.9: " + refused
        );
        server.listen();
        REQUIRE(is(monitor, name, admission::open));
        CHECK(monitor.member(name).address == "127.0.0.1");
        CHECK(monitor.member(name).other_addresses.empty());
    }

    TEST_CASE("where a request is the check, only the address that has answered it gets sessions")
    {
        fake_postgres service;
        fake_patroni checked;
        checked.answer("/ready", reply::json("{}", 200));
        scripted_names names;
        names.say("svc.test", {"127.0.0.9", "127.0.0.1", "127.0.0.8"});
        const auto name = "svc.test:" + std::to_string(service.port());
        auto settings = checking("svc.test", service.port());
        settings.tcp->check.http = {"GET", "/ready", checked.port(), 0};
        running_monitor monitor(settings, write_and_read(), names.how());

        REQUIRE(is(monitor, name, admission::open));

        CHECK(monitor.member(name).address == "127.0.0.1");
        CHECK(monitor.member(name).other_addresses.empty());
        CHECK(all_good(monitor));
    }

    TEST_CASE("members whose names hang are down after their time; the others are up meanwhile")
    {
        fake_postgres server;
        scripted_names names;
        names.say("svc.test", {"127.0.0.1"});
        auto settings = checking("svc.test", server.port());
        settings.tcp->check.timeout = scaled(300ms);
        for (int i = 0; i < 8; ++i)
        {
            const auto host = "dead" + std::to_string(i) + ".test";
            names.hang(host);
            settings.tcp->members.push_back({host, 1});
        }
        running_monitor monitor(settings, write_and_read(), names.how());

        CHECK(is(monitor, "svc.test:" + std::to_string(server.port()), admission::open));
        CHECK(run_until([&] { return monitor.failed("dead7.test:1", "has no address"); }));
        CHECK(names.under_way() == 8);

        monitor.stop();
        CHECK(run_until([&] { return monitor.ended(); }));
        CHECK(names.under_way() == 8);
    }
}
