// SPDX-License-Identifier: PostgreSQL
//
// Clients whose TLS is ended here: what they are told inside it, and how it ends.
#include "proxy/session.hpp"

#include "tests/support/proxy_fixture.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

bool is_answered(client& c)
{
    c.send(query("select 1"));
    return c.receive(query_answer('I').size()) == query_answer('I');
}

// Inside TLS, with a close_notify behind it.
void check_told(client& c, const char* sqlstate, const std::string& in_message)
{
    const auto told = c.receive_to_end();
    CHECK(c.encrypted());
    CHECK(error_field(told, 'S') == "FATAL");
    CHECK(error_field(told, 'C') == sqlstate);
    const auto text = error_field(told, 'M');
    CAPTURE(text);
    CHECK(text.find(in_message) != text.npos);
    CHECK(c.ended() == ending::fin);
}

} // namespace

TEST_SUITE("session, TLS ended here: what is told inside it")
{
    TEST_CASE("57P03 when the hold is over")
    {
        auto settings = tls_listener();
        settings.queue.timeout = scaled(50ms);
        proxy_fixture proxy(settings);
        proxy.believe({});
        client c(proxy.port());
        REQUIRE(ask_for_tls(c));
        c.send(startup());

        check_told(c, "57P03", "no member of the cluster");

        c.finish_sending();
        CHECK(run_until([&] { return proxy.ended("sQ") == 1; }));
    }

    TEST_CASE("a client is held inside TLS, and goes on when there is a member")
    {
        fake_postgres server;
        proxy_fixture proxy(tls_listener());
        proxy.believe({});
        client c(proxy.port());
        REQUIRE(ask_for_tls(c));
        c.send(startup());
        REQUIRE(run_until([&] { return proxy.held() == 1; }));

        proxy.believe({{"a", server.port()}});

        CHECK(c.receive(login_answer().size()) == login_answer());
        CHECK(is_answered(c));
    }

    TEST_CASE("57P01 when the member loses the role, in clear text beside it as well")
    {
        fake_postgres server;
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        tls_client tls(proxy);
        logged_in_client clear(proxy);
        tls.send(query("wait"));
        REQUIRE(run_until([&] { return server.received() == startup() + query("wait"); }));

        proxy.believe({{"a", server.port(), admission::closed}});

        check_told(tls, "57P01", "no longer the primary");
        CHECK(error_field(clear.receive_to_end(), 'C') == "57P01");
        CHECK(run_until([&] { return server.open() == 0; }));
        CHECK(proxy.ended("D-") == 2);
    }

    TEST_CASE("a server that resets is told as 57P01")
    {
        fake_postgres server(
            [](stream& s)
            {
                take_startup(s);
                s.send(login_answer());
                s.receive_message();
                s.reset();
            }
        );
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        tls_client c(proxy);
        c.send(query("select 1"));

        check_told(c, "57P01", "the server closed it unexpectedly");
        CHECK(proxy.ended("SD") == 1);
    }

    TEST_CASE("the process ends: 57P01 for sessions, 57P03 for those that are held")
    {
        fake_postgres server;
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        tls_client idle(proxy);
        tls_client in_transaction(proxy);
        in_transaction.send(query("begin"));
        REQUIRE(in_transaction.receive(query_answer('T').size()) == query_answer('T'));
        proxy.believe({{"a", server.port(), admission::keep}});
        client held(proxy.port());
        REQUIRE(ask_for_tls(held));
        held.send(startup());
        client asked(proxy.port());
        asked.send(ssl_request());
        REQUIRE(asked.receive(1) == bytes_of("S"));
        client inside(proxy.port());
        REQUIRE(ask_for_tls(inside));
        REQUIRE(run_until([&] { return proxy.held() == 1; }));

        proxy.begin_shutdown();

        check_told(idle, "57P01", "shutting down");
        check_told(held, "57P03", "shutting down");
        for (auto* c : {&asked, &inside})
        {
            CHECK(c->receive_to_end().empty());
            CHECK(c->ended() != ending::none);
        }
        CHECK(in_transaction.quiet());
        in_transaction.send(query("commit"));
        CHECK(in_transaction.receive(query_answer('I').size()) == query_answer('I'));
        check_told(in_transaction, "57P01", "shutting down");
    }

    TEST_CASE("both ends of a half-closed session: the answer arrives behind the client's FIN")
    {
        fake_postgres server;
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        REQUIRE(ask_for_tls(c));

        c.send(startup() + query("select 1"));
        c.finish_sending();

        CHECK(c.receive_to_end() == login_answer() + query_answer('I'));
        CHECK(c.ended() == ending::fin);
        CHECK(run_until([&] { return proxy.ended("--") == 1; }));
    }

    TEST_CASE("a client that resets ends its session and the server's connection")
    {
        fake_postgres server;
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        tls_client c(proxy);

        c.reset();

        CHECK(run_until([&] { return server.open() == 0; }));
        CHECK(run_until([&] { return proxy.ended("CD") == 1; }));
    }
}
