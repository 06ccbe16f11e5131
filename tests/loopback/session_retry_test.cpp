// SPDX-License-Identifier: PostgreSQL
//
// A member that refuses or says "not now": the client is led to another one without noticing.
#include "proxy/session.hpp"

#include "tests/support/proxy_fixture.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

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
        CHECK(proxy.signs().front() == health::life_sign::refused);
    }

    TEST_CASE("a member whose name has several addresses is sought at each of them")
    {
        fake_postgres server;
        proxy_fixture proxy(quick_listener());
        // Nobody listens at the first two.
        proxy.believe(
            {{.name = "a", .port = server.port(), .addresses = {"::1", "127.0.0.9", "127.0.0.1"}}}
        );

        for (int i = 0; i < 4; ++i)
            logged_in_client c(proxy);

        CHECK(server.accepted() == 4);
        CHECK(proxy.hints().empty());
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
        settings.timeouts.handshake = scaled(1s);
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
        const auto answer = c.receive_to_end();

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
        const auto answer = c.receive_to_end();

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

        CHECK(run_until([&] { return proxy.sessions() == 0; }));
        proxy.believe({});
    }

    TEST_CASE("a member that does not take the connection in time is left for another one")
    {
        fake_postgres dead;
        fake_postgres good;
        dead.ignore();
        auto settings = quick_listener(listener_role::replica);
        settings.timeouts.connect = scaled(500ms);
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
        auto settings = quick_listener();
        settings.timeouts.handshake = scaled(500ms);
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});
        {
            client c(proxy.port());
            c.send(startup());
            REQUIRE(run_until([&] { return server.received_size() > 0; }));
        }

        CHECK(run_until([&] { return proxy.sessions() == 0; }));
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
