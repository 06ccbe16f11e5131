// SPDX-License-Identifier: PostgreSQL
//
// How clients are shared among members, with real workers: they count and choose as one.
#include "proxy/descriptors.hpp"

#include "tests/support/census.hpp"
#include "tests/support/proxy_fixture.hpp"
#include "tests/support/socket_file.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;
using config::balance_algorithm;

namespace
{

config::listener_settings readers(balance_algorithm algorithm)
{
    auto s = quick_listener(config::listener_role::replica);
    s.balance = algorithm;
    s.queue.max = 5000;
    s.queue.timeout = scaled(120s); // nobody's turn comes too late
    return s;
}

// Three members of weights 1, 2 and 5, of which any may be limited.
struct three
{
    three()
    {
        cluster.member_options["a"].weight = 1;
        cluster.member_options["b"].weight = 2;
        cluster.member_options["c"].weight = 5;
    }

    [[nodiscard]] std::vector<believed> all() const
    {
        return {{"a", a.port()}, {"b", b.port()}, {"c", c.port()}};
    }

    // As many as their weights say, give or take one in a hundred of all.
    void check_shares(std::size_t sessions) const
    {
        const auto n = static_cast<double>(sessions);
        CHECK(std::abs(static_cast<double>(a.accepted()) - n * 1 / 8) <= n / 100);
        CHECK(std::abs(static_cast<double>(b.accepted()) - n * 2 / 8) <= n / 100);
        CHECK(std::abs(static_cast<double>(c.accepted()) - n * 5 / 8) <= n / 100);
    }

    config::cluster_settings cluster;
    fake_postgres a;
    fake_postgres b;
    fake_postgres c;
};

bool logs_in(stream& c)
{
    return c.send(startup()) && c.receive(login_answer().size()) == login_answer();
}

std::string address(int n)
{
    return "127.0." + std::to_string(1 + n / 250) + "." + std::to_string(1 + n % 250);
}

} // namespace

TEST_SUITE("session: balance")
{
    TEST_CASE("1,000 sessions that end are shared by weight over both workers")
    {
        for (const auto algorithm : {balance_algorithm::roundrobin, balance_algorithm::random})
        {
            CAPTURE(static_cast<int>(algorithm));
            three members;
            proxy_fixture proxy(readers(algorithm), 2, members.cluster);
            proxy.believe(members.all());

            for (int i = 0; i < 1000; ++i)
            {
                logged_in_client{proxy};
                REQUIRE(run_until([&] { return proxy.door().sessions() == 0; }));
            }

            CHECK(members.a.accepted() + members.b.accepted() + members.c.accepted() == 1000);
            if (algorithm == balance_algorithm::roundrobin)
                members.check_shares(1000);
            else // chance: five standard deviations
                CHECK(std::abs(static_cast<int>(members.c.accepted()) - 625) < 77);
        }
    }

    TEST_CASE("of 10,000 sessions each member gets what its weight says, give or take a hundredth")
    {
        // Every thousand meet servers of their own: each connection costs the test a thread.
        std::array<std::size_t, 3> got{};
        std::optional<three> members(std::in_place);
        proxy_fixture proxy(readers(balance_algorithm::roundrobin), 2, members->cluster);
        for (int round = 0; round < 10; ++round)
        {
            proxy.believe(members->all());
            for (int i = 0; i < 1000; ++i)
                logged_in_client{proxy};
            REQUIRE(run_until([&] { return proxy.door().sessions() == 0; }));
            got[0] += members->a.accepted();
            got[1] += members->b.accepted();
            got[2] += members->c.accepted();
            members.emplace();
        }
        CHECK(got[0] + got[1] + got[2] == 10'000);
        for (const auto& [n, weight] :
             {std::pair(got[0], 1.0), std::pair(got[1], 2.0), std::pair(got[2], 5.0)})
            CHECK(std::abs(static_cast<double>(n) - 10'000 * weight / 8) <= 100 * weight / 8);
    }

    TEST_CASE("sessions that stay are shared by weight over both workers, whoever ends")
    {
        proxy::raise_descriptor_limit();
        for (const auto algorithm : {balance_algorithm::roundrobin, balance_algorithm::leastconn})
        {
            CAPTURE(static_cast<int>(algorithm));
            three members;
            proxy_fixture proxy(readers(algorithm), 2, members.cluster);
            proxy.believe(members.all());
            std::vector<std::unique_ptr<logged_in_client>> clients;

            for (int i = 0; i < 400; ++i)
                clients.push_back(std::make_unique<logged_in_client>(proxy));

            members.check_shares(400);
            if (algorithm != balance_algorithm::leastconn)
                continue;
            // All of one member have gone: the next ones are its, all of them.
            members.b.interrupt_all();
            REQUIRE(run_until([&] { return proxy.door().sessions() == 300; }));
            for (int i = 0; i < 90; ++i)
                clients.push_back(std::make_unique<logged_in_client>(proxy));
            CHECK(members.b.accepted() == 190);
        }
    }

    TEST_CASE("2,000 clients at once over two workers: maxconn is never exceeded, all are served")
    {
        proxy::raise_descriptor_limit();
        constexpr std::size_t crowd_size = 2000;
        constexpr std::size_t maxconn = 20;
        for (const auto algorithm : {balance_algorithm::roundrobin, balance_algorithm::leastconn})
        {
            CAPTURE(static_cast<int>(algorithm));
            census of_a;
            census of_b;
            fake_postgres a(of_a.counted(serving()));
            fake_postgres b(of_b.counted(serving()));
            config::cluster_settings cluster;
            cluster.default_member.maxconn = maxconn;
            proxy_fixture proxy(readers(algorithm), 2, cluster);
            proxy.believe({{"a", a.port()}, {"b", b.port()}});
            std::vector<std::unique_ptr<client>> clients;
            for (std::size_t i = 0; i < crowd_size; ++i)
                clients.emplace_back(std::make_unique<client>(proxy.port()))->send(startup());
            REQUIRE(run_until([&] { return proxy.door().held() == crowd_size - 2 * maxconn; }));
            CHECK(proxy.door().sessions() == 2 * maxconn);
            const auto on_workers = proxy.sessions_by_worker();
            CHECK(*std::ranges::min_element(on_workers) > 0);

            std::size_t served = 0;
            const auto leave_if_served = [&](const std::unique_ptr<client>& c)
            {
                if (c->quiet())
                    return false;
                served += c->receive(login_answer().size()) == login_answer() ? 1U : 0U;
                return true;
            };
            CHECK(run_until(
                [&]
                {
                    std::erase_if(clients, leave_if_served);
                    return clients.empty();
                },
                60s
            ));
            CHECK(served == crowd_size);
            CHECK(a.accepted() + b.accepted() == crowd_size);
            CHECK(of_a.most() == maxconn);
            CHECK(of_b.most() == maxconn);
        }
    }

    TEST_CASE("first: the next member is used when the one before it is full")
    {
        three members;
        members.cluster.member_options["a"].maxconn = 3;
        members.cluster.member_options["b"].maxconn = 2;
        proxy_fixture proxy(readers(balance_algorithm::first), 2, members.cluster);
        proxy.believe(members.all());
        std::vector<std::unique_ptr<logged_in_client>> clients;
        for (int i = 0; i < 9; ++i)
            clients.push_back(std::make_unique<logged_in_client>(proxy));

        CHECK(members.a.accepted() == 3);
        CHECK(members.b.accepted() == 2);
        CHECK(members.c.accepted() == 4);
    }

    TEST_CASE("source: an address keeps its member, on every worker; others go elsewhere")
    {
        three members;
        proxy_fixture proxy(readers(balance_algorithm::source), 2, members.cluster);
        proxy.believe(members.all());
        const std::array servers{&members.a, &members.b, &members.c};
        std::map<std::size_t, int> used;
        for (int n = 0; n < 24; ++n)
        {
            CAPTURE(n);
            std::array<std::size_t, 3> before{};
            std::ranges::transform(servers, before.begin(), [](auto* s) { return s->accepted(); });
            for (int i = 0; i < 4; ++i)
            {
                client_from c(address(n), proxy.port());
                REQUIRE(logs_in(c));
            }
            for (std::size_t s = 0; s < servers.size(); ++s)
            {
                const auto got = servers[s]->accepted() - before[s];
                CHECK((got == 0 || got == 4));
                used[s] += got > 0 ? 1 : 0;
            }
        }
        CHECK(used[2] > used[0]);
        CHECK(std::ranges::all_of(used, [](const auto& u) { return u.second > 0; }));
    }

    TEST_CASE("source: clients of a full member wait for it, and those of others pass them")
    {
        fake_postgres a;
        fake_postgres b;
        config::cluster_settings cluster;
        cluster.default_member.maxconn = 1;
        cluster.default_member.maxqueue = 2;
        proxy_fixture proxy(readers(balance_algorithm::source), 2, cluster);
        proxy.believe({{"a", a.port()}, {"b", b.port()}});
        client_from first(address(0), proxy.port());
        REQUIRE(logs_in(first));
        auto& own = a.accepted() == 1 ? a : b;
        auto& other = a.accepted() == 1 ? b : a;
        std::vector<std::unique_ptr<client_from>> waiting;
        for (std::size_t i = 1; i <= 2; ++i)
        {
            waiting.push_back(std::make_unique<client_from>(address(0), proxy.port()));
            waiting.back()->send(startup());
            REQUIRE(run_until([&] { return proxy.door().held() == i; }));
        }

        // Its queue is full: the next one goes to the other, and one more waits for that.
        client_from third(address(0), proxy.port());
        REQUIRE(logs_in(third));
        CHECK(other.accepted() == 1);
        client_from fourth(address(0), proxy.port());
        fourth.send(startup());
        REQUIRE(run_until([&] { return proxy.door().held() == 3; }));
        CHECK(waiting[0]->quiet());

        first.close();
        CHECK(waiting[0]->receive(login_answer().size()) == login_answer());
        CHECK(waiting[1]->quiet());
        third.close();
        CHECK(fourth.receive(login_answer().size()) == login_answer());
        CHECK(waiting[1]->quiet());
        waiting[0]->close();
        CHECK(waiting[1]->receive(login_answer().size()) == login_answer());
        CHECK(own.accepted() == 3);
        CHECK(other.accepted() == 2);
    }

    TEST_CASE("source: who waits for a member that shuts goes to another one")
    {
        fake_postgres a;
        fake_postgres b;
        config::cluster_settings cluster;
        cluster.default_member.maxconn = 1;
        auto settings = readers(balance_algorithm::source);
        settings.on_marked_down = config::marked_down_action::none;
        proxy_fixture proxy(settings, 2, cluster);
        proxy.believe({{"a", a.port()}, {"b", b.port()}});
        client_from first(address(0), proxy.port());
        REQUIRE(logs_in(first));
        client_from waiting(address(0), proxy.port());
        waiting.send(startup());
        REQUIRE(run_until([&] { return proxy.door().held() == 1; }));
        const bool on_a = a.accepted() == 1;

        proxy.believe(
            {{"a", a.port(), on_a ? admission::keep : admission::open},
             {"b", b.port(), on_a ? admission::open : admission::keep}}
        );

        CHECK(waiting.receive(login_answer().size()) == login_answer());
        CHECK((on_a ? b : a).accepted() == 1);
    }

    TEST_CASE("slowstart: clients that wait are let in as the member takes more")
    {
        fake_postgres server;
        config::cluster_settings cluster;
        cluster.default_member.maxconn = 4;
        cluster.default_member.slowstart = 2s;
        proxy_fixture proxy(quick_listener(), 2, cluster);
        proxy.believe({{"a", server.port()}});
        logged_in_client{proxy};
        REQUIRE(run_until([&] { return proxy.door().sessions() == 0; }));
        proxy.believe({{"a", server.port(), admission::closed}});
        const auto began = std::chrono::steady_clock::now();
        const auto passed = [began] { return std::chrono::steady_clock::now() - began; };
        proxy.believe({{"a", server.port()}});
        std::vector<std::unique_ptr<client>> clients;
        for (int i = 0; i < 6; ++i)
            clients.emplace_back(std::make_unique<client>(proxy.port()))->send(startup());
        REQUIRE(run_until([&] { return proxy.door().held() + proxy.door().sessions() == 6; }));

        // maxconn is 1 in the first second and half of 4 in the next.
        REQUIRE(run_until([&] { return proxy.door().sessions() >= 2; }));
        CHECK(passed() >= 1s);
        REQUIRE(run_until([&] { return proxy.door().sessions() == 4; }));
        CHECK(passed() >= 2s);
        CHECK(proxy.door().held() == 2);
    }

    TEST_CASE("a backup is used once no other member is open")
    {
        three members;
        members.cluster.member_options["a"].backup = true;
        members.cluster.member_options["b"].backup = true;
        proxy_fixture proxy(readers(balance_algorithm::roundrobin), 2, members.cluster);
        proxy.believe(members.all());
        for (int i = 0; i < 5; ++i)
            logged_in_client{proxy};
        CHECK(members.c.accepted() == 5);

        proxy.believe(
            {{"a", members.a.port()},
             {"b", members.b.port()},
             {"c", members.c.port(), admission::keep}}
        );
        REQUIRE(run_until(
            [&]
            {
                logged_in_client{proxy};
                return members.a.accepted() > 0;
            }
        ));
        for (int i = 0; i < 5; ++i)
            logged_in_client{proxy};
        CHECK(members.b.accepted() == 0);
    }
}
