// SPDX-License-Identifier: PostgreSQL
//
// The door of a listener as clients meet it: who goes in, in which order, and how many at once.
#include "proxy/session.hpp"

#include "tests/support/census.hpp"
#include "tests/support/proxy_fixture.hpp"
#include "tests/support/socket_file.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <ranges>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

using crowd = std::vector<std::unique_ptr<client>>;

config::listener_settings with_maxconn(std::size_t maxconn)
{
    auto s = quick_listener();
    s.maxconn = maxconn;
    return s;
}

config::cluster_settings with_member_maxconn(std::size_t maxconn)
{
    config::cluster_settings c;
    c.default_member.maxconn = maxconn;
    return c;
}

byte_vector numbered_startup(std::uint32_t number)
{
    return int32(13) + int32(0x00030000) + int32(number) + hex("00");
}

bool gets_login_answer(client& c)
{
    return c.receive(login_answer().size()) == login_answer();
}

bool is_answered(client& c)
{
    c.send(query("select 1"));
    return c.receive(query_answer('I').size()) == query_answer('I');
}

// Every one of them is at the door before the next comes.
crowd in_order(proxy_fixture& proxy, std::uint32_t n)
{
    crowd clients;
    const auto before = proxy.door().held() + proxy.door().sessions();
    for (std::uint32_t i = 0; i < n; ++i)
    {
        auto& c = *clients.emplace_back(std::make_unique<client>(proxy.port()));
        c.send(numbered_startup(i));
        REQUIRE(run_until([&] { return proxy.door().held() + proxy.door().sessions() > before + i; }
        ));
    }
    return clients;
}

std::size_t quiet(const crowd& clients)
{
    const auto is_quiet = [](const auto& c) { return c->quiet(); };
    return static_cast<std::size_t>(std::ranges::count_if(clients, is_quiet));
}

// Connects to this port of 127.0.0.1 that nobody has answered yet.
std::size_t connects_under_way(std::uint16_t port)
{
    char to[32];
    std::snprintf(to, sizeof to, " 0100007F:%04X 02 ", port); // TCP_SYN_SENT
    std::ifstream table("/proc/net/tcp");
    std::size_t n = 0;
    for (std::string line; std::getline(table, line);)
        n += line.find(to) != line.npos ? 1U : 0U;
    return n;
}

void check_told(client& c, const char* sqlstate, const std::string& in_message)
{
    const auto told = c.receive_to_end();
    CHECK(error_field(told, 'S') == "FATAL");
    CHECK(error_field(told, 'C') == sqlstate);
    const auto text = error_field(told, 'M');
    CAPTURE(text);
    CHECK(text.find(in_message) != text.npos);
    CHECK(c.ended() == ending::fin);
}

} // namespace

TEST_SUITE("session: places")
{
    TEST_CASE("maxconn is never exceeded, and a burst of 2,000 clients is all served")
    {
        constexpr std::size_t burst = 2000;
        constexpr std::size_t maxconn = 50;
        bool of_member = false;
        SUBCASE("a member's own")
        {
            of_member = true;
        }
        SUBCASE("the listener's")
        {
            of_member = false;
        }
        auto settings = with_maxconn(of_member ? burst : maxconn);
        settings.queue.max = burst;
        settings.queue.timeout = scaled(120s); // nobody's turn comes too late
        census count;
        fake_postgres server(count.counted(serving()));
        proxy_fixture proxy(settings, 2, with_member_maxconn(of_member ? maxconn : burst));
        proxy.believe({{"a", server.port()}});
        std::vector<std::unique_ptr<client_from>> clients;
        for (std::size_t i = 0; i < burst; ++i)
        {
            // Of four addresses, each with less than its share of clients not heard yet.
            const auto from = "127.0.0." + std::to_string(2 + i % 4);
            clients.push_back(std::make_unique<client_from>(from, proxy.port()));
            clients.back()->send(startup());
        }
        REQUIRE(run_until([&] { return proxy.door().held() == burst - maxconn; }));
        REQUIRE(run_until([&] { return server.open() == maxconn; }));
        CHECK(proxy.door().sessions() == maxconn);

        // Whoever is served leaves.
        std::size_t served = 0;
        const auto leave_if_served = [&](const auto& c)
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
            }
        ));

        CHECK(served == burst);
        CHECK(server.accepted() == burst);
        CHECK(count.most() == maxconn);
    }

    TEST_CASE("each session that ends lets in the client that has waited longest")
    {
        fake_postgres server;
        proxy_fixture proxy(quick_listener(), 2, with_member_maxconn(2));
        proxy.believe({{"a", server.port()}});
        const auto clients = in_order(proxy, 24);

        for (std::size_t i = 0; i < clients.size(); ++i)
        {
            CAPTURE(i);
            CHECK(gets_login_answer(*clients[i]));
            const auto is_quiet = [](const auto& c) { return c->quiet(); };
            CHECK(std::ranges::all_of(clients | std::views::drop(i + 2), is_quiet));
            clients[i]->close();
        }
        CHECK(server.accepted() == 24);
    }

    TEST_CASE("a member that is full does not keep clients from another that is not")
    {
        fake_postgres a;
        fake_postgres b;
        auto cluster = with_member_maxconn(1);
        cluster.member_options["b"].maxconn = 4;
        proxy_fixture proxy(quick_listener(config::listener_role::replica), 2, cluster);
        proxy.believe({{"a", a.port()}, {"b", b.port()}});
        const auto clients = in_order(proxy, 6);
        REQUIRE(run_until([&] { return a.open() == 1 && b.open() == 4; }));
        CHECK(proxy.door().held() == 1);
        CHECK(clients[5]->quiet());

        clients[0]->close();
        clients[1]->close(); // one of them was on b
        clients[2]->close();

        CHECK(gets_login_answer(*clients[5]));
    }

    TEST_CASE("over the listener's maxconn clients are held, then told 53300; FIN if they want TLS")
    {
        fake_postgres server;
        auto settings = with_maxconn(1);
        settings.queue.timeout = scaled(1s);
        proxy_fixture proxy(settings, 2);
        proxy.believe({{"a", server.port()}});
        logged_in_client inside(proxy);
        client clear(proxy.port());
        clear.send(startup());
        client tls(proxy.port());
        tls.send(ssl_request());
        REQUIRE(run_until([&] { return proxy.held() == 2; }));

        check_told(clear, "53300", "too many clients");
        CHECK(tls.receive_to_end().empty());
        CHECK(tls.ended() == ending::fin);
        CHECK(is_answered(inside));
        CHECK(server.accepted() == 1);
        CHECK(proxy.ended("PQ") == 2);
        CHECK(proxy.stats().hold_seconds.contains("timeout"));
    }

    TEST_CASE("over a member's maxconn, too")
    {
        fake_postgres server;
        auto settings = quick_listener();
        settings.queue.timeout = scaled(100ms);
        proxy_fixture proxy(settings, 1, with_member_maxconn(1));
        proxy.believe({{"a", server.port()}});
        logged_in_client inside(proxy);
        client c(proxy.port());
        c.send(startup());

        check_told(c, "53300", "too many clients");
        CHECK(server.accepted() == 1);
    }

    TEST_CASE("a client that was answered N keeps its place for its startup packet")
    {
        fake_postgres server;
        proxy_fixture proxy(with_maxconn(1), 2);
        proxy.believe({{"a", server.port()}});
        client first(proxy.port());
        first.send(ssl_request());
        REQUIRE(first.receive(1) == bytes_of("N"));
        client second(proxy.port());
        second.send(startup());
        REQUIRE(run_until([&] { return proxy.door().held() == 1; }));

        first.send(startup());

        CHECK(gets_login_answer(first));
        CHECK(second.quiet());
        first.close();
        CHECK(gets_login_answer(second));
    }

    TEST_CASE("a held client that goes frees its place at once, and those behind move up")
    {
        fake_postgres server;
        auto settings = with_maxconn(1);
        settings.queue.max = 3;
        proxy_fixture proxy(settings, 2);
        proxy.believe({{"a", server.port()}});
        auto clients = in_order(proxy, 4);
        REQUIRE(gets_login_answer(*clients[0]));
        client one_too_many(proxy.port());
        one_too_many.send(startup());
        check_told(one_too_many, "57P03", "too many clients are waiting");

        clients[1]->close();
        REQUIRE(run_until([&] { return proxy.door().held() == 2; }));
        clients.erase(clients.begin() + 1);
        auto& late = clients.emplace_back(std::make_unique<client>(proxy.port()));
        late->send(startup());
        REQUIRE(run_until([&] { return proxy.door().held() == 3; }));

        for (std::size_t i = 1; i < clients.size(); ++i)
        {
            CAPTURE(i);
            CHECK(proxy.door().held() == clients.size() - i);
            const auto is_quiet = [](const auto& c) { return c->quiet(); };
            CHECK(std::ranges::all_of(clients | std::views::drop(i), is_quiet));
            clients[i - 1]->reset();
            CHECK(gets_login_answer(*clients[i]));
        }
        CHECK(server.accepted() == 4);
    }

    TEST_CASE("with queue.max: 0 nobody waits")
    {
        fake_postgres server;
        auto settings = with_maxconn(1);
        settings.queue.max = 0;
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});
        logged_in_client inside(proxy);
        client clear(proxy.port());
        clear.send(startup());
        client tls(proxy.port());
        tls.send(ssl_request());

        check_told(clear, "57P03", "too many clients are waiting");
        CHECK(tls.receive_to_end().empty());
        CHECK(tls.ended() == ending::fin);
        inside.close();
        REQUIRE(run_until([&] { return proxy.door().sessions() == 0; }));
        const logged_in_client next(proxy);
        CHECK(proxy.held() == 0);
    }

    TEST_CASE("the sessions of a member that has lost its role leave their places")
    {
        fake_postgres a;
        fake_postgres b;
        proxy_fixture proxy(with_maxconn(2), 2);
        proxy.believe({{"a", a.port()}, {"b", b.port(), admission::closed}});
        const auto clients = in_order(proxy, 4);
        REQUIRE(gets_login_answer(*clients[0]));
        REQUIRE(gets_login_answer(*clients[1]));

        proxy.believe({{"a", a.port(), admission::closed}, {"b", b.port()}});

        check_told(*clients[0], "57P01", "no longer the primary");
        check_told(*clients[1], "57P01", "no longer the primary");
        CHECK(gets_login_answer(*clients[2]));
        CHECK(gets_login_answer(*clients[3]));
        CHECK(a.accepted() == 2);
    }
}

TEST_SUITE("session: a door that is paused")
{
    TEST_CASE("new clients are held and then served in their order; who is inside goes on")
    {
        fake_postgres server;
        proxy_fixture proxy(with_maxconn(2), 2);
        proxy.believe({{"a", server.port()}});
        logged_in_client inside(proxy);
        proxy.door().pause();
        const auto clients = in_order(proxy, 6);
        CHECK(proxy.door().held() == 6);
        CHECK(is_answered(inside));
        proxy.believe({{"a", server.port()}}); // lets nobody in
        CHECK(proxy.relaying() == 1);
        CHECK(quiet(clients) == 6);
        CHECK(server.accepted() == 1);

        proxy.door().resume();

        for (std::size_t i = 0; i < clients.size(); ++i)
        {
            CAPTURE(i);
            CHECK(gets_login_answer(*clients[i])); // beside `inside` there is one place
            CHECK(server.received(i + 1) == numbered_startup(static_cast<std::uint32_t>(i)));
            clients[i]->close();
        }
    }

    TEST_CASE("paused until the hold ends: 57P03 in clear text, FIN when they want TLS")
    {
        fake_postgres server;
        auto settings = quick_listener();
        settings.queue.timeout = scaled(100ms);
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});
        proxy.door().pause();
        client clear(proxy.port());
        clear.send(startup());
        client tls(proxy.port());
        tls.send(ssl_request());

        check_told(clear, "57P03", "held by an operator");
        CHECK(tls.receive_to_end().empty());
        CHECK(tls.ended() == ending::fin);
        CHECK(server.accepted() == 0);
        proxy.door().resume();
        const logged_in_client next(proxy);
    }

    TEST_CASE("a place that comes free meanwhile is taken after resume")
    {
        fake_postgres server;
        proxy_fixture proxy(with_maxconn(1), 2);
        proxy.believe({{"a", server.port()}});
        const auto clients = in_order(proxy, 3);
        REQUIRE(gets_login_answer(*clients[0]));
        proxy.door().pause();
        clients[0]->close();
        clients[1]->close();
        REQUIRE(run_until([&] { return proxy.sessions() == 1; }));
        CHECK(proxy.door().sessions() == 0);
        CHECK(clients[2]->quiet());

        proxy.door().resume();

        CHECK(gets_login_answer(*clients[2]));
    }
}

TEST_SUITE("session: many are let in")
{
    TEST_CASE("a promotion releases all that wait, never more than 64 connects at once")
    {
        constexpr std::size_t crowd_size = 200;
        constexpr auto limit = proxy::max_connects_per_member;
        fake_postgres server;
        proxy_fixture proxy(quick_listener(), 2);
        server.ignore();
        proxy.believe({{"a", server.port(), admission::keep}});
        const auto clients = in_order(proxy, crowd_size);
        REQUIRE(proxy.door().held() == crowd_size);
        const auto others = connects_under_way(server.port());
        std::size_t most = 0;
        const auto look = [&]
        {
            const auto now = connects_under_way(server.port());
            return most = std::max(most, now - std::min(now, others));
        };

        proxy.believe({{"a", server.port()}});

        REQUIRE(run_until([&] { return look() >= limit; }));
        CHECK(proxy.door().sessions() == limit);
        CHECK(proxy.door().held() == crowd_size - limit);
        server.listen();
        CHECK(run_until(
            [&]
            {
                look();
                return quiet(clients) == 0;
            }
        ));
        CHECK(most == limit);
        for (const auto& c : clients)
            CHECK(gets_login_answer(*c));
        CHECK(proxy.door().sessions() == crowd_size);
    }

    TEST_CASE("while the server says that it is starting nobody sees it")
    {
        constexpr std::uint32_t crowd_size = 60;
        fake_postgres server(refusing_startup(fatal("57P03", "starting up")));
        proxy_fixture proxy(quick_listener(), 2);
        proxy.believe({{"a", server.port(), admission::keep}});
        const auto clients = in_order(proxy, crowd_size);
        proxy.believe({{"a", server.port()}});
        REQUIRE(run_until([&] { return server.accepted() >= 8; }));

        server.play(serving());

        for (const auto& c : clients)
        {
            CHECK(gets_login_answer(*c));
            CHECK(c->received() == login_answer());
        }
        CHECK(server.accepted() >= crowd_size + 8);
    }
}

TEST_SUITE("session: a stale view at a door that is not open")
{
    TEST_CASE("who waits for a place or for an operator is told 57P03 at once")
    {
        fake_postgres server;
        for (const bool by_operator : {false, true})
        {
            CAPTURE(by_operator);
            proxy_fixture proxy(with_maxconn(1), 2);
            proxy.believe({{"a", server.port()}});
            logged_in_client inside(proxy);
            if (by_operator)
                proxy.door().pause();
            const auto clients = in_order(proxy, 8);
            client tls(proxy.port());
            tls.send(ssl_request());
            REQUIRE(run_until([&] { return proxy.held() == 9; }));

            proxy.believe_stale({{"a", server.port()}});

            for (const auto& c : clients)
                check_told(*c, "57P03", "state of the cluster is not known");
            CHECK(tls.receive_to_end().empty());
            client late(proxy.port());
            late.send(startup());
            check_told(late, "57P03", "state of the cluster is not known");
            CHECK(is_answered(inside));
            CHECK(proxy.door().held() == 0);
        }
        CHECK(server.accepted() == 2);
    }
}
