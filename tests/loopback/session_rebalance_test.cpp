// SPDX-License-Identifier: PostgreSQL
//
// Sessions that last go to a member that has joined, a few at a time.
#include "tests/support/proxy_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

config::listener_settings readers(unsigned percent)
{
    auto s = quick_listener(config::listener_role::replica);
    s.balance = config::balance_algorithm::leastconn;
    s.rebalance = percent;
    return s;
}

using clients = std::vector<std::unique_ptr<logged_in_client>>;

clients log_in(proxy_fixture& proxy, int n)
{
    clients all;
    for (int i = 0; i < n; ++i)
        all.push_back(std::make_unique<logged_in_client>(proxy));
    return all;
}

// Whoever was told to go comes again, as a pool does; the number of them.
std::size_t come_again(proxy_fixture& proxy, clients& all)
{
    std::size_t moved = 0;
    for (auto& c : all)
    {
        if (c->quiet())
            continue;
        const auto told = c->receive_to_end();
        CHECK(error_field(told, 'C') == "57P01");
        CHECK(error_field(told, 'M').find("another member") != std::string::npos);
        c = std::make_unique<logged_in_client>(proxy);
        ++moved;
    }
    return moved;
}

// Through the door, connecting or connected.
std::size_t sessions_on(proxy_fixture& proxy, const std::string& member)
{
    const auto all = proxy.door().sessions_by_member();
    const auto found = all.find(member);
    return found == all.end() ? 0 : found->second;
}

} // namespace

TEST_SUITE("session: rebalance")
{
    TEST_CASE("a member that joins gets its share, and nobody is brought below his")
    {
        const fake_postgres a;
        const fake_postgres b;
        proxy_fixture proxy(readers(50), 2);
        proxy.believe({{"a", a.port()}});
        auto all = log_in(proxy, 20);
        REQUIRE(run_until([&] { return proxy.relaying() == 20; }));

        proxy.believe({{"a", a.port()}, {"b", b.port()}});

        std::size_t moved = 0;
        CHECK(run_until(
            [&]
            {
                moved += come_again(proxy, all);
                CHECK(sessions_on(proxy, "a") >= 10);
                return sessions_on(proxy, "b") >= 9; // within the tolerance
            }
        ));
        CHECK(moved <= 10);
        CHECK(run_until([&] { return proxy.relaying() == 20; }));
        CHECK(proxy.ended("D-") == moved);
        CHECK(proxy.stats().members["a"].shut_down["moved"] == moved);
    }

    TEST_CASE("clients that stay away do not empty a member")
    {
        const fake_postgres a;
        const fake_postgres b;
        proxy_fixture proxy(readers(100), 1);
        proxy.believe({{"a", a.port()}});
        auto all = log_in(proxy, 20);
        REQUIRE(run_until([&] { return proxy.relaying() == 20; }));

        proxy.believe({{"a", a.port()}, {"b", b.port()}});
        REQUIRE(run_until([&] { return sessions_on(proxy, "a") == 10; }));

        // Two more seconds of the clock change nothing.
        const auto seen = std::chrono::steady_clock::now();
        CHECK(run_until([&] { return std::chrono::steady_clock::now() - seen > 2500ms; }));
        CHECK(sessions_on(proxy, "a") == 10);
        CHECK(std::ranges::count_if(all, [](const auto& c) { return c->quiet(); }) == 10);
    }

    TEST_CASE("a session in a transaction stays until that has ended")
    {
        const fake_postgres a;
        const fake_postgres b;
        proxy_fixture proxy(readers(100), 1);
        proxy.believe({{"a", a.port()}});
        clients busy = log_in(proxy, 6);
        for (auto& c : busy)
        {
            c->send(query("begin"));
            REQUIRE(c->receive(query_answer('T').size()) == query_answer('T'));
        }
        client idle(proxy.port());
        idle.send(startup());
        REQUIRE(idle.receive(login_answer().size()) == login_answer());

        proxy.believe({{"a", a.port()}, {"b", b.port()}});

        // The only one that may be moved is.
        CHECK(error_field(idle.receive_to_end(), 'C') == "57P01");
        CHECK(std::ranges::all_of(busy, [](const auto& c) { return c->quiet(); }));
        busy.front()->send(query("commit"));
        CHECK(busy.front()->receive(query_answer('I').size()) == query_answer('I'));
        CHECK(error_field(busy.front()->receive_to_end(), 'C') == "57P01");
    }

    TEST_CASE("what is passed through in TLS stays")
    {
        const fake_postgres a(
            [](stream& s)
            {
                s.receive(8);
                s.send(bytes_of("S"));
                s.receive_to_end();
            }
        );
        const fake_postgres b;
        proxy_fixture proxy(readers(100), 1);
        proxy.believe({{"a", a.port()}});
        std::vector<std::unique_ptr<client>> sealed;
        for (int i = 0; i < 6; ++i)
        {
            auto& c = *sealed.emplace_back(std::make_unique<client>(proxy.port()));
            c.send(ssl_request());
            REQUIRE(c.receive(1) == bytes_of("S"));
            c.send(hex("16 0301 0001 01"));
        }
        REQUIRE(run_until([&] { return proxy.relaying() == 6; }));

        proxy.believe({{"a", a.port()}, {"b", b.port()}});

        // Two seconds of the clock would have moved three of them.
        const auto seen = std::chrono::steady_clock::now();
        CHECK(run_until([&] { return std::chrono::steady_clock::now() - seen > 2500ms; }));
        CHECK(std::ranges::all_of(sealed, [](const auto& c) { return c->quiet(); }));
        CHECK(sessions_on(proxy, "a") == 6);
    }

    TEST_CASE("off, or while clients are paused, nobody is moved")
    {
        for (const unsigned percent : {0U, 100U})
        {
            CAPTURE(percent);
            const fake_postgres a;
            const fake_postgres b;
            proxy_fixture proxy(readers(percent), 1);
            proxy.believe({{"a", a.port()}});
            auto all = log_in(proxy, 8);
            if (percent > 0)
                proxy.door().pause();
            proxy.believe({{"a", a.port()}, {"b", b.port()}});

            const auto seen = std::chrono::steady_clock::now();
            CHECK(run_until([&] { return std::chrono::steady_clock::now() - seen > 1500ms; }));
            CHECK(std::ranges::all_of(all, [](const auto& c) { return c->quiet(); }));
        }
    }
}
