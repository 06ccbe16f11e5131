// SPDX-License-Identifier: PostgreSQL
//
// Who may come, for whom a balancer may speak, how many at once, and for how long they may be
// silent.
#include "proxy/session.hpp"

#include "tests/support/captured_log.hpp"
#include "tests/support/proxy_fixture.hpp"
#include "tests/support/socket_file.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

config::listener_settings allowing(std::vector<config::network> networks)
{
    auto s = quick_listener();
    s.allow = std::move(networks);
    return s;
}

// 127.0.0.9 must send a PROXY header, nobody else may.
config::listener_settings with_balancer()
{
    auto s = quick_listener();
    s.accept_proxy = {{"127.0.0.9", 32}};
    return s;
}

const std::string balancer = "127.0.0.9";

// Version 2, PROXY, TCP over IPv4: from 203.0.113.7:4711 to 127.0.0.1:5432.
byte_vector binary_header()
{
    return hex("0d0a0d0a000d0a515549540a 21 11 000c cb007107 7f000001 1267 1538");
}

byte_vector binary_header_v6() // from [2001:db8::7]:4711
{
    return hex("0d0a0d0a000d0a515549540a 21 21 0024 20010db8000000000000000000000007"
               "00000000000000000000000000000001 1267 1538");
}

byte_vector local_header()
{
    return hex("0d0a0d0a000d0a515549540a 20 00 0000");
}

byte_vector text_header(const std::string& source)
{
    return bytes_of("PROXY TCP4 " + source + " 127.0.0.1 4711 5432\r\n");
}

bool gets_login_answer(stream& c)
{
    return c.receive(login_answer().size()) == login_answer();
}

bool logs_in(stream& c)
{
    c.send(startup());
    return gets_login_answer(c);
}

bool is_answered(stream& c, char status = 'I', const char* text = "select 1")
{
    c.send(query(text));
    return c.receive(query_answer(status).size()) == query_answer(status);
}

// Closed without a word.
bool is_turned_away(stream& c)
{
    const auto said = c.receive_to_end();
    return said.empty() && c.ended() != ending::none;
}

void check_told(stream& c, const char* sqlstate, const std::string& in_message)
{
    const auto told = c.receive_to_end();
    CHECK(error_field(told, 'C') == sqlstate);
    const auto text = error_field(told, 'M');
    CAPTURE(text);
    CHECK(text.find(in_message) != text.npos);
    CHECK(c.ended() == ending::fin);
}

std::uint64_t rejected(proxy_fixture& proxy, const std::string& why)
{
    return proxy.stats().handshake_rejects[why];
}

} // namespace

TEST_SUITE("session: who may come")
{
    TEST_CASE("allow: the addresses that are listed, and no others")
    {
        fake_postgres server;
        proxy_fixture proxy(allowing({{"10.0.0.0", 8}, {"127.0.0.8", 31}}), 2);
        proxy.believe({{"a", server.port()}});

        for (const char* address : {"127.0.0.8", "127.0.0.9"})
        {
            client_from in(address, proxy.port());
            CHECK(logs_in(in));
        }
        for (const char* address : {"127.0.0.1", "127.0.0.7", "127.0.0.10"})
        {
            CAPTURE(address);
            client_from out(address, proxy.port());
            out.send(startup());
            CHECK(is_turned_away(out));
        }
        client_from silent("127.0.0.1", proxy.port()); // not even asked what it wants
        CHECK(is_turned_away(silent));
        CHECK(server.accepted() == 2);
        CHECK(rejected(proxy, "not_allowed") == 4);
        CHECK(proxy.ended("PR") == 4);
    }

    TEST_CASE("allow: IPv6 and unix sockets are named themselves")
    {
        fake_postgres server;
        const own_folder folder;
        const config::network v6{"::1", 128};
        const config::network v4{"127.0.0.0", 8};
        const config::network local{"unix", 0};
        for (const auto& allowed : {v6, v4, local})
        {
            CAPTURE(allowed.address);
            auto settings = allowing({allowed});
            settings.bind = {{"127.0.0.1", 0}, {"::1", 0}, {folder.file("s"), 0}};
            proxy_fixture proxy(settings);
            proxy.believe({{"a", server.port()}});
            const auto port_v6 =
                std::stoi(proxy.bound()[1].substr(proxy.bound()[1].rfind(':') + 1));
            const auto port_v4 =
                std::stoi(proxy.bound()[0].substr(proxy.bound()[0].rfind(':') + 1));

            client by_v4(static_cast<std::uint16_t>(port_v4));
            client by_v6(static_cast<std::uint16_t>(port_v6), "::1");
            local_client by_file(folder.file("s"));

            const std::pair<stream*, config::network> clients[] = {
                {&by_v4, v4}, {&by_v6, v6}, {&by_file, local}};
            for (const auto& [c, network] : clients)
            {
                CAPTURE(network.address);
                c->send(startup());
                CHECK((network == allowed ? gets_login_answer(*c) : is_turned_away(*c)));
            }
        }
        CHECK(server.accepted() == 3);
    }
}

TEST_SUITE("session: PROXY headers")
{
    TEST_CASE("the client is whom the header names, in both versions; its packet may come with it")
    {
        const captured_log log;
        fake_postgres server;
        proxy_fixture proxy(with_balancer(), 2);
        proxy.believe({{"a", server.port()}});
        const std::pair<byte_vector, const char*> rows[] = {
            {text_header("203.0.113.6"), "client=203.0.113.6:4711 "},
            {bytes_of("PROXY TCP6 2001:db8::6 ::1 4711 5432\r\n"), "client=[2001:db8::6]:4711 "},
            {binary_header(), "client=203.0.113.7:4711 "},
            {binary_header_v6(), "client=[2001:db8::7]:4711 "},
            {bytes_of("PROXY UNKNOWN\r\n"), "client=127.0.0.9:"},
            {local_header(), "client=127.0.0.9:"},
        };
        std::size_t nth = 0;
        for (const auto& [header, logged] : rows)
        {
            CAPTURE(logged);
            {
                client_from c(balancer, proxy.port());
                c.send(header + startup() + query("select 1"));
                CHECK(gets_login_answer(c));
                CHECK(c.receive(query_answer('I').size()) == query_answer('I'));
            }
            CHECK(server.received(nth++) == startup() + query("select 1"));
            CHECK(run_until([&] { return log.count("event=session_end") == nth; }));
            CHECK(log.count(logged) >= 1);
        }
        CHECK(log.count("client=127.0.0.9:") == 2);
    }

    TEST_CASE("a header in single bytes, and then an encryption request")
    {
        fake_postgres server;
        proxy_fixture proxy(with_balancer());
        proxy.believe({{"a", server.port()}});
        for (const auto& header : {text_header("203.0.113.7"), binary_header()})
        {
            client_from c(balancer, proxy.port());
            for (const auto b : header)
            {
                c.send({b});
                CHECK(c.quiet());
            }
            c.send(ssl_request());
            CHECK(c.receive(1) == bytes_of("N"));
            CHECK(logs_in(c));
        }
    }

    TEST_CASE("allow is about the client in the header, where there is one")
    {
        fake_postgres server;
        auto settings = with_balancer();
        settings.allow = {{"203.0.113.0", 24}};
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});

        client_from in(balancer, proxy.port());
        in.send(text_header("203.0.113.7"));
        CHECK(logs_in(in));
        client_from other(balancer, proxy.port());
        other.send(text_header("198.51.100.7") + startup());
        CHECK(is_turned_away(other));
        client_from itself(balancer, proxy.port());
        itself.send(local_header() + startup());
        CHECK(is_turned_away(itself));
        client direct(proxy.port());
        direct.send(startup());
        CHECK(is_turned_away(direct));
        CHECK(server.accepted() == 1);
        CHECK(rejected(proxy, "not_allowed") == 3);
    }

    TEST_CASE("malformed, cut off or missing: closed at once and counted")
    {
        const byte_vector rows[] = {
            bytes_of("PROXY TCP4 203.0.113.300 127.0.0.1 4711 5432\r\n"),
            bytes_of("PROXY TCP4 203.0.113.7"),
            bytes_of("GET / HTTP/1.1\r\n\r\n"),
            hex("0d0a0d0a000d0a515549540a 31 11 000c cb007107 7f000001 1267 1538"),
            hex("0d0a0d0a000d0a515549540a 21 11 0008 cb007107 7f000001"),
            startup(),
            ssl_request(),
            hex("16 0301 0200 0100 01"),
        };
        fake_postgres server;
        proxy_fixture proxy(with_balancer());
        proxy.believe({{"a", server.port()}});
        for (const auto& row : rows)
        {
            client_from c(balancer, proxy.port());
            c.send(row);
            if (row == rows[1])
                c.finish_sending();
            CHECK(is_turned_away(c));
        }
        CHECK(rejected(proxy, "proxy_header_bad") == std::size(rows));
        CHECK(proxy.ended("CR") == std::size(rows));

        client_from probe(balancer, proxy.port()); // a health check of the balancer
        probe.finish_sending();
        CHECK(is_turned_away(probe));
        CHECK(rejected(proxy, "proxy_header_bad") == std::size(rows));
        CHECK(server.accepted() == 0);
    }

    TEST_CASE("a header that does not come to its end in time")
    {
        auto settings = with_balancer();
        settings.timeouts.handshake = scaled(500ms);
        proxy_fixture proxy(settings);
        client_from silent(balancer, proxy.port());
        client_from slow(balancer, proxy.port());
        slow.send(bytes_of("PROXY TCP4 203.0.113.7 127."));

        CHECK(is_turned_away(silent));
        CHECK(is_turned_away(slow));
        CHECK(rejected(proxy, "handshake_timeout") == 2);
    }

    TEST_CASE("from an address that may not send one a header is a malformed first packet")
    {
        fake_postgres server;
        proxy_fixture proxy(with_balancer());
        proxy.believe({{"a", server.port()}});
        for (const auto& header : {text_header("203.0.113.7"), binary_header()})
        {
            client c(proxy.port());
            c.send(header + startup());
            CHECK(is_turned_away(c));
        }
        CHECK(rejected(proxy, "startup_malformed") == 2);
        CHECK(server.accepted() == 0);
        client plain(proxy.port());
        CHECK(logs_in(plain));
    }
}

TEST_SUITE("session: how many at once")
{
    TEST_CASE("clients that have not said what they want are limited, by address and in all")
    {
        fake_postgres server;
        auto settings = quick_listener();
        settings.handshakes = {4, 2};
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});
        const auto under_way = [&](std::size_t n)
        { return run_until([&, n] { return proxy.sessions() == n; }); };
        client_from one("127.0.0.2", proxy.port());
        client_from two("127.0.0.2", proxy.port());
        two.send(hex("00"));
        REQUIRE(under_way(2));
        client_from same("127.0.0.2", proxy.port());
        CHECK(is_turned_away(same));

        client_from three("127.0.0.3", proxy.port());
        client_from four("127.0.0.3", proxy.port());
        REQUIRE(under_way(4));

        // Who has been silent for longest makes room; others of its address keep theirs.
        client_from other("127.0.0.4", proxy.port());
        CHECK(is_turned_away(one));
        CHECK(logs_in(other));
        CHECK(rejected(proxy, "too_many_handshakes") == 2);
        CHECK(proxy.ended("PR") == 2);

        // Who has said what it wants, or has gone, makes room as well.
        three.close();
        REQUIRE(under_way(3));
        client_from again("127.0.0.2", proxy.port());
        CHECK(logs_in(again));
        two.send(hex("000008 04d2162f"));
        CHECK(two.receive(1) == bytes_of("N"));
        CHECK(four.quiet());
    }

    TEST_CASE("a crowd of silent clients keeps nobody out")
    {
        fake_postgres server;
        auto settings = quick_listener();
        settings.handshakes = {50, 50};
        proxy_fixture proxy(settings, 2);
        proxy.believe({{"a", server.port()}});
        std::vector<std::unique_ptr<client_from>> crowd;
        for (std::size_t i = 0; i < 150; ++i)
            crowd.push_back(
                std::make_unique<client_from>("127.0.0." + std::to_string(2 + i % 10), proxy.port())
            );
        REQUIRE(
            run_until([&] { return proxy.stats().handshake_rejects["too_many_handshakes"] == 100; })
        );

        for (int i = 0; i < 20; ++i)
        {
            client_from welcome("127.0.0.99", proxy.port());
            CHECK(logs_in(welcome));
        }
    }

    TEST_CASE("clients that are held, or through, do not count as unknown ones")
    {
        fake_postgres server;
        auto settings = quick_listener();
        settings.handshakes = {1, 1};
        proxy_fixture proxy(settings);
        proxy.believe({});
        std::vector<std::unique_ptr<client>> clients;
        for (std::size_t i = 0; i < 4; ++i)
        {
            clients.push_back(std::make_unique<client>(proxy.port()));
            clients.back()->send(i % 2 ? startup() : ssl_request());
            REQUIRE(run_until([&] { return proxy.held() == i + 1; }));
        }

        proxy.believe({{"a", server.port()}});

        for (std::size_t i = 0; i < 4; ++i)
        {
            CHECK(
                (i % 2 ? gets_login_answer(*clients[i])
                       : clients[i]->receive(1) == bytes_of("N") && logs_in(*clients[i]))
            );
        }
    }

    TEST_CASE("a balancer is not one client: its connections count in all only")
    {
        auto settings = with_balancer();
        settings.handshakes = {3, 1};
        proxy_fixture proxy(settings);
        client_from one(balancer, proxy.port());
        client_from two(balancer, proxy.port());
        two.send(text_header("203.0.113.7"));
        client_from three(balancer, proxy.port());
        REQUIRE(run_until([&] { return proxy.sessions() == 3; }));
        CHECK(one.quiet());
        CHECK(two.quiet());
        CHECK(three.quiet());

        client_from four(balancer, proxy.port());

        CHECK(is_turned_away(one));
        CHECK(four.quiet());
    }

    TEST_CASE("at the process's maxconn clients wait in the kernel until one has left")
    {
        const captured_log log;
        fake_postgres server;
        proxy_fixture proxy(quick_listener(), 2, {}, 4);
        proxy.believe({{"a", server.port()}});
        std::vector<std::unique_ptr<client>> clients;
        for (int i = 0; i < 7; ++i)
        {
            clients.push_back(std::make_unique<client>(proxy.port()));
            clients.back()->send(startup());
        }
        for (std::size_t i = 0; i < 4; ++i)
            CHECK(gets_login_answer(*clients[i]));
        REQUIRE(run_until([&] { return log.count("maxconn is reached") == 1; }));

        for (std::size_t i = 4; i < clients.size(); ++i)
        {
            CAPTURE(i);
            CHECK(clients[i]->quiet());
            CHECK(proxy.sessions() == 4);
            CHECK(proxy.process().clients == 4);
            CHECK(is_answered(*clients[i - 4]));
            clients[i - 4]->close();
            CHECK(gets_login_answer(*clients[i]));
        }
        CHECK(server.accepted() == 7);
    }
}

TEST_SUITE("session: silence")
{
    // In one case, for idle time is looked at once a second only.
    TEST_CASE("who is silent for too long is told 57P05; not while a query runs, not without limits"
    )
    {
        fake_postgres server;
        auto settings = quick_listener();
        proxy_fixture unlimited(settings);
        settings.timeouts.client = scaled(2s);
        proxy_fixture of_clients(settings, 2);
        settings.timeouts.client = 0ms;
        settings.timeouts.server = scaled(2s);
        proxy_fixture of_servers(settings);
        for (auto* proxy : {&unlimited, &of_clients, &of_servers})
            proxy->believe({{"a", server.port()}});
        logged_in_client patient(unlimited);
        logged_in_client idle(of_clients);
        logged_in_client in_transaction(of_clients);
        CHECK(is_answered(in_transaction, 'T', "begin"));
        logged_in_client busy(of_clients);
        busy.send(query("wait"));
        logged_in_client speaking(of_clients);
        logged_in_client idle_server(of_servers);
        logged_in_client busy_server(of_servers);
        busy_server.send(query("wait"));
        client unread(of_clients.port()); // and cannot be told
        unread.send(hex("16 0301 0200 0100 01"));
        client unread_server(of_servers.port());
        unread_server.send(hex("16 0301 0200 0100 01"));

        stream* ending[] = {&idle, &in_transaction, &idle_server, &unread, &unread_server};
        const auto ends = [](const auto* c) { return !c->quiet(); };
        REQUIRE(run_until(
            [&]
            {
                CHECK(is_answered(speaking));
                return std::ranges::all_of(ending, ends);
            }
        ));

        check_told(idle, "57P05", "idle-session timeout");
        check_told(in_transaction, "57P05", "idle-session timeout");
        check_told(idle_server, "57P05", "silent for too long");
        CHECK(is_turned_away(unread));
        CHECK(is_turned_away(unread_server));
        for (stream* c :
             {static_cast<stream*>(&patient),
              static_cast<stream*>(&busy),
              static_cast<stream*>(&busy_server)})
        {
            CHECK(c->quiet());
            CHECK(is_answered(*c));
        }
        CHECK(of_clients.ended("cD") == 3);
        CHECK(of_servers.ended("sD") == 2);
    }
}
