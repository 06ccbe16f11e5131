// SPDX-License-Identifier: PostgreSQL
//
// A client that finds no server: held, refused, or led to another one without noticing.
#include "proxy/session.hpp"

#include "tests/support/proxy_fixture.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

using clock = std::chrono::steady_clock;
using config::listener_role;

config::listener_settings
holding_for(std::chrono::milliseconds timeout, listener_role role = listener_role::primary)
{
    auto s = quick_listener(role);
    s.queue.timeout = scaled(timeout);
    return s;
}

bool gets_login_answer(client& c)
{
    return c.receive(login_answer().size()) == login_answer();
}

const auto starting_up = fatal("57P03", "the database system is starting up");

} // namespace

TEST_SUITE("session: no server at hand")
{
    TEST_CASE("a held client is served as soon as a member opens")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port(), admission::keep}});
        client c(proxy.port());
        c.send(startup());
        REQUIRE(run_until([&] { return proxy.held() == 1; }));
        CHECK(c.quiet());
        CHECK(server.accepted() == 0);

        proxy.believe({{"a", server.port()}});

        CHECK(gets_login_answer(c));
        CHECK(proxy.held() == 0);
        CHECK(proxy.stats().hold_seconds.contains("routed"));
    }

    TEST_CASE("a client is held before the answer to its SSLRequest")
    {
        fake_postgres server;
        proxy_fixture proxy;
        client c(proxy.port());
        c.send(ssl_request());
        REQUIRE(run_until([&] { return proxy.held() == 1; }));
        CHECK(c.quiet());

        proxy.believe({{"a", server.port()}});

        CHECK(c.receive(1) == bytes_of("N"));
        c.send(startup());
        CHECK(gets_login_answer(c));
    }

    TEST_CASE("held clients are released in the order they came")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({});
        std::vector<std::unique_ptr<client>> clients;
        for (std::uint32_t i = 0; i < 8; ++i)
        {
            auto& c = *clients.emplace_back(std::make_unique<client>(proxy.port()));
            c.send(int32(13) + int32(0x00030000) + int32(i) + hex("00"));
            REQUIRE(run_until([&] { return proxy.held() == i + 1; }));
        }

        proxy.believe({{"a", server.port()}});

        for (auto& c : clients)
            CHECK(gets_login_answer(*c));
        for (std::uint32_t i = 0; i < clients.size(); ++i)
        {
            const auto expected = int32(13) + int32(0x00030000) + int32(i) + hex("00");
            CHECK(server.received(i) == expected);
        }
    }

    TEST_CASE("a hold that passes its limit ends with 57P03")
    {
        proxy_fixture proxy(holding_for(200ms));
        proxy.believe({});
        client c(proxy.port());
        const auto began = clock::now();

        c.send(startup());

        const auto answer = c.receive_to_end();
        CHECK(error_field(answer, 'S') == "FATAL");
        CHECK(error_field(answer, 'C') == "57P03");
        CHECK(c.ended() == ending::fin);
        CHECK(clock::now() - began >= scaled(200ms));
        CHECK(proxy.ended("sQ") == 1);
        CHECK(proxy.stats().hold_seconds.contains("timeout"));
    }

    TEST_CASE("P-001: a hold after SSLRequest ends with FIN and not one byte")
    {
        proxy_fixture proxy(holding_for(200ms));
        proxy.believe({});
        client tls(proxy.port());
        client gss(proxy.port());
        client direct(proxy.port());

        tls.send(ssl_request());
        gss.send(gssenc_request());
        direct.send(hex("16 0301 0200 0100 01"));

        for (auto* c : {&tls, &gss, &direct})
        {
            CHECK(c->receive_to_end().empty());
            CHECK(c->ended() == ending::fin);
        }
    }

    TEST_CASE("a client in clear text after an N is told 57P03 when its server has gone meanwhile")
    {
        fake_postgres server;
        proxy_fixture proxy(holding_for(300ms));
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        c.send(ssl_request());
        REQUIRE(c.receive(1) == bytes_of("N"));

        server.refuse();
        server.interrupt_all();
        REQUIRE(run_until([&] { return server.open() == 0; }));
        c.send(startup());

        CHECK(error_field(c.receive_to_end(), 'C') == "57P03");
    }

    TEST_CASE("protocol 2.0 is not told anything in the words of 3.0")
    {
        proxy_fixture proxy(holding_for(100ms));
        proxy.believe({});
        client c(proxy.port());

        c.send(int32(12) + int32(0x00020000) + int32(0));

        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
    }

    TEST_CASE("queue.max clients are held, the next is told 57P03 at once")
    {
        fake_postgres server;
        auto settings = quick_listener();
        settings.queue.max = 2;
        proxy_fixture proxy(settings, 2);
        proxy.believe({});
        client first(proxy.port());
        first.send(startup());
        client second(proxy.port());
        second.send(startup());
        REQUIRE(run_until([&] { return proxy.held() == 2; }));

        client third(proxy.port());
        third.send(startup());
        client with_tls(proxy.port());
        with_tls.send(ssl_request());

        CHECK(error_field(third.receive_to_end(), 'C') == "57P03");
        CHECK(with_tls.receive_to_end().empty());
        CHECK(with_tls.ended() == ending::fin);
        CHECK(proxy.held() == 2);
        proxy.believe({{"a", server.port()}});
        CHECK(gets_login_answer(first));
        CHECK(gets_login_answer(second));
    }

    TEST_CASE("a held client that goes away frees its place")
    {
        fake_postgres server;
        auto settings = quick_listener();
        settings.queue.max = 1;
        proxy_fixture proxy(settings);
        proxy.believe({});
        {
            client gone(proxy.port());
            gone.send(startup() + query("select 1"));
            REQUIRE(run_until([&] { return proxy.held() == 1; }));
        }
        REQUIRE(run_until([&] { return proxy.held() == 0; }));
        CHECK(proxy.stats().hold_seconds.contains("gone"));
        CHECK(proxy.ended("CQ") == 1);

        client next(proxy.port());
        next.send(startup());
        REQUIRE(run_until([&] { return proxy.held() == 1; }));
        proxy.believe({{"a", server.port()}});

        CHECK(gets_login_answer(next));
        CHECK(server.accepted() == 1);
    }

    TEST_CASE("a stale view refuses at once: 57P03 in clear text, FIN after SSLRequest")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe_stale({{"a", server.port()}});
        client clear(proxy.port());
        client tls(proxy.port());
        const auto began = clock::now();

        clear.send(startup());
        tls.send(ssl_request());

        CHECK(error_field(clear.receive_to_end(), 'C') == "57P03");
        CHECK(tls.receive_to_end().empty());
        CHECK(tls.ended() == ending::fin);
        CHECK(clock::now() - began < scaled(2s));
        CHECK(server.accepted() == 0);
    }

    TEST_CASE("a view that becomes stale lets go of the clients it holds")
    {
        proxy_fixture proxy;
        proxy.believe({});
        client c(proxy.port());
        c.send(startup());
        REQUIRE(run_until([&] { return proxy.held() == 1; }));

        proxy.believe_stale({});

        CHECK(error_field(c.receive_to_end(), 'C') == "57P03");
        CHECK(proxy.stats().hold_seconds.contains("stale"));
    }

    TEST_CASE("a stale view ends no session that is under way")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);

        proxy.believe_stale({{"a", server.port()}});
        c.send(query("select 1"));

        CHECK(c.receive(query_answer('I').size()) == query_answer('I'));
    }
}

TEST_SUITE("session: another try")
{
    TEST_CASE("a member that refuses the connection is left for another one")
    {
        fake_postgres refusing;
        fake_postgres good;
        refusing.refuse();
        proxy_fixture proxy(quick_listener(listener_role::replica));
        proxy.believe({{"a", refusing.port()}, {"b", good.port()}});

        for (int i = 0; i < 4; ++i)
            logged_in_client c(proxy);

        CHECK(good.accepted() == 4);
        const auto hints = proxy.hints();
        REQUIRE(!hints.empty());
        CHECK(hints.front() == "a");
    }

    TEST_CASE("the only member is tried again until it listens")
    {
        fake_postgres server;
        server.refuse();
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        c.send(startup());
        REQUIRE(run_until([&] { return proxy.hints().size() >= 3; }));

        server.listen();

        CHECK(gets_login_answer(c));
        CHECK(server.received() == startup());
        CHECK(proxy.held() == 0);
    }

    TEST_CASE("a member that refuses, is closed and opens again lets the held client in at once")
    {
        fake_postgres server;
        server.refuse();
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        c.send(startup());
        REQUIRE(run_until([&] { return proxy.hints().size() >= 4; })); // it rests 160 ms now

        proxy.believe({{"a", server.port(), admission::keep}});
        server.listen();
        proxy.believe({{"a", server.port()}});

        CHECK(gets_login_answer(c));
    }

    TEST_CASE("a server that takes the connection and never answers is left for another one")
    {
        fake_postgres hung(silent());
        fake_postgres good;
        auto settings = quick_listener(listener_role::replica);
        settings.timeouts.handshake = scaled(300ms);
        proxy_fixture proxy(settings);
        proxy.believe({{"a", hung.port()}, {"b", good.port()}});

        for (int i = 0; i < 2; ++i)
            logged_in_client c(proxy);

        CHECK(hung.accepted() > 0);
        CHECK(good.accepted() == 2);
    }

    TEST_CASE("a member that refuses until the hold is over is told as 57P03")
    {
        fake_postgres server;
        server.refuse();
        proxy_fixture proxy(holding_for(300ms));
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(startup());

        CHECK(error_field(c.receive_to_end(), 'C') == "57P03");
        CHECK(c.ended() == ending::fin);
        CHECK(proxy.ended("SQ") == 1);
    }

    TEST_CASE("two members that refuse do not keep a client longer than the hold")
    {
        fake_postgres a;
        fake_postgres b;
        a.refuse();
        b.refuse();
        proxy_fixture proxy(holding_for(300ms, listener_role::replica));
        proxy.believe({{"a", a.port()}, {"b", b.port()}});
        client c(proxy.port());

        c.send(startup());
        const auto answer = c.receive_to_end(2s);

        CHECK(error_field(answer, 'C') == "57P03");
        // Each pause doubles from 20 ms on: a few tries each, not thousands.
        CHECK(proxy.hints().size() < 40);
        if (answer.empty())
            proxy.believe({}); // lets go of it
    }

    TEST_CASE("two members that are starting do not keep a client longer than the hold")
    {
        fake_postgres a(refusing_startup(starting_up));
        fake_postgres b(refusing_startup(starting_up));
        proxy_fixture proxy(holding_for(300ms, listener_role::replica));
        proxy.believe({{"a", a.port()}, {"b", b.port()}});
        client c(proxy.port());

        c.send(startup());
        const auto answer = c.receive_to_end(2s);

        CHECK(error_field(answer, 'C') == "57P03");
        CHECK(a.accepted() + b.accepted() < 40);
        if (answer.empty())
            proxy.believe({});
    }

    TEST_CASE("a client that leaves while two members refuse is let go")
    {
        fake_postgres a;
        fake_postgres b;
        a.refuse();
        b.refuse();
        proxy_fixture proxy(quick_listener(listener_role::replica));
        proxy.believe({{"a", a.port()}, {"b", b.port()}});
        {
            client c(proxy.port());
            c.send(startup());
            REQUIRE(run_until([&] { return proxy.hints().size() >= 2; }));
        }

        CHECK(run_until([&] { return proxy.sessions() == 0; }, 2s));
        proxy.believe({});
    }

    TEST_CASE("a member that does not take the connection in time is left for another one")
    {
        fake_postgres dead;
        fake_postgres good;
        dead.ignore();
        auto settings = quick_listener(listener_role::replica);
        settings.timeouts.connect = 150ms;
        proxy_fixture proxy(settings);
        proxy.believe({{"a", dead.port()}, {"b", good.port()}});

        for (int i = 0; i < 2; ++i)
            logged_in_client c(proxy);

        CHECK(good.accepted() == 2);
        CHECK(!proxy.hints().empty());
    }

    TEST_CASE("a first answer of 57P03 is tried again, unseen by the client")
    {
        const auto again = refusing_startup(starting_up);
        fake_postgres server(one_after_another({again, again, again, serving()}));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(startup());

        CHECK(gets_login_answer(c));
        CHECK(server.accepted() == 4);
        CHECK(server.received(3) == startup());
        CHECK(c.received() == login_answer());
    }

    TEST_CASE("a first answer of 57P03 after SSLRequest and N is tried again without them")
    {
        fake_postgres server(one_after_another({refusing_startup(starting_up), serving()}));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(ssl_request());
        CHECK(c.receive(1) == bytes_of("N"));
        c.send(startup());

        CHECK(gets_login_answer(c));
        CHECK(server.accepted() == 2);
        CHECK(server.received(0) == ssl_request() + startup());
        CHECK(server.received(1) == startup());
    }

    TEST_CASE("a first answer of 57P03 in pieces of one byte is recognised all the same")
    {
        const auto dripping = [](stream& s)
        {
            s.receive_packet();
            for (const auto b : starting_up)
                s.send({b});
        };
        fake_postgres server(one_after_another({dripping, serving()}));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(startup());

        CHECK(gets_login_answer(c));
        CHECK(c.received() == login_answer());
    }

    TEST_CASE("57P01 behind AuthenticationOk is tried again, unseen by the client")
    {
        const auto accepted = hex("52 00000008 00000000");
        const auto stopping = fatal("57P01", "terminating connection due to administrator command");
        fake_postgres server(one_after_another({refusing_startup(accepted + stopping), serving()}));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(startup());

        CHECK(gets_login_answer(c));
        CHECK(c.received() == login_answer());
    }

    TEST_CASE("a request for a password reaches the client at once")
    {
        const auto request = hex("52 0000000c 00000005 01020304");
        const auto password = message('p', "md5secret");
        fake_postgres server(
            [&](stream& s)
            {
                take_startup(s);
                s.send(request);
                s.receive_message();
                s.send(login_answer());
                serve_queries(s);
            }
        );
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(startup());
        CHECK(c.receive(request.size()) == request);
        c.send(password);

        CHECK(gets_login_answer(c));
        CHECK(server.received() == startup() + password);
    }

    TEST_CASE("a server that goes on being started is the end of the hold")
    {
        fake_postgres server(refusing_startup(starting_up));
        proxy_fixture proxy(holding_for(300ms));
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(startup());

        const auto answer = c.receive_to_end();
        CHECK(error_field(answer, 'C') == "57P03");
        CHECK(c.ended() == ending::fin);
        CHECK(server.accepted() > 1);
        CHECK(server.accepted() < 20);
    }

    TEST_CASE("other errors of the server pass unchanged, at the first try")
    {
        for (const char* sqlstate : {"28P01", "3D000", "53300", "0A000", "28000", "XX000"})
        {
            CAPTURE(sqlstate);
            const auto error = fatal(sqlstate, "the server's own words");
            fake_postgres server(refusing_startup(error));
            proxy_fixture proxy;
            proxy.believe({{"a", server.port()}});
            client c(proxy.port());

            c.send(startup());

            CHECK(c.receive_to_end() == error);
            CHECK(c.ended() == ending::fin);
            CHECK(server.accepted() == 1);
        }
    }

    TEST_CASE("a server that closes or resets instead of answering is tried again")
    {
        const auto closing = [](stream& s) { s.receive_packet(); };
        fake_postgres server(one_after_another({closing, resetting(), serving()}));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(startup());

        CHECK(gets_login_answer(c));
        CHECK(c.received() == login_answer());
        CHECK(server.received(2) == startup());
    }

    TEST_CASE("a server that closes instead of answering SSLRequest is tried again")
    {
        const auto closing = [](stream& s) { s.receive(8); };
        fake_postgres server(one_after_another({closing, serving()}));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(ssl_request());

        CHECK(c.receive(1) == bytes_of("N"));
        CHECK(server.accepted() == 2);
    }

    TEST_CASE("a server that never answers keeps nobody whose client has gone")
    {
        fake_postgres server(silent());
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        {
            client c(proxy.port());
            c.send(startup());
            REQUIRE(run_until([&] { return server.received_size() > 0; }));
        }

        CHECK(run_until([&] { return proxy.sessions() == 0; }, 10s));
    }

    TEST_CASE("an answer in pieces of one byte arrives whole")
    {
        fake_postgres server(
            [](stream& s)
            {
                s.receive_packet();
                for (const auto b : login_answer())
                    s.send({b});
                s.receive_to_end();
            }
        );
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(startup());

        CHECK(gets_login_answer(c));
    }

    TEST_CASE("replicas take turns, over two workers")
    {
        fake_postgres a;
        fake_postgres b;
        fake_postgres closed;
        proxy_fixture proxy(quick_listener(listener_role::replica), 2);
        proxy.believe({{"a", a.port()}, {"b", b.port()}, {"c", closed.port(), admission::closed}});

        for (std::size_t i = 1; i <= 6; ++i)
        {
            logged_in_client c(proxy);
            CHECK(a.accepted() == (i + 1) / 2);
            CHECK(b.accepted() == i / 2);
        }

        CHECK(closed.accepted() == 0);
    }
}
