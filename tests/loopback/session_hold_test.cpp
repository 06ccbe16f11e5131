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

// It is past its opening, then.
bool gets_query_answer(client& c)
{
    c.send(query("select 1"));
    return c.receive(query_answer('I').size()) == query_answer('I');
}

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
        CHECK(clock::now() - began < scaled(patience) / 2);
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

    TEST_CASE("with on_stale: shutdown_sessions a view that grows stale ends them with 57P01")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client idle(proxy);
        REQUIRE(gets_query_answer(idle));
        logged_in_client busy(proxy);
        busy.send(query("begin"));
        REQUIRE(busy.receive(query_answer('T').size()) == query_answer('T'));

        proxy.believe_stale({{"a", server.port()}}, config::stale_action::shutdown_sessions);

        for (auto* c : {&idle, &busy})
        {
            const auto last_words = c->receive_to_end();
            CHECK(error_field(last_words, 'C') == "57P01");
            c->close();
        }
        CHECK(run_until([&] { return proxy.sessions() == 0; }));
        CHECK(proxy.cut().empty()); // no member has lost its role
    }
}

TEST_SUITE("session: what the control thread is told")
{
    TEST_CASE("how many sessions of the write port a member has lost with its role")
    {
        fake_postgres a;
        fake_postgres b;
        proxy_fixture proxy;
        proxy.believe({{"a", a.port()}, {"b", b.port(), admission::closed}});
        logged_in_client first(proxy);
        logged_in_client second(proxy);
        REQUIRE(gets_query_answer(first));
        REQUIRE(gets_query_answer(second));
        CHECK(proxy.cut().empty());

        proxy.believe({{"a", a.port(), admission::closed}, {"b", b.port()}});

        CHECK(error_field(first.receive_to_end(), 'C') == "57P01");
        CHECK(error_field(second.receive_to_end(), 'C') == "57P01");
        CHECK(run_until([&] { return proxy.cut() == std::vector<std::string>{"a 2"}; }));
        first.close();
        second.close();

        // They are not counted again.
        proxy.believe({{"b", b.port()}});
        CHECK(run_until([&] { return proxy.sessions() == 0; }));
        CHECK(proxy.cut().size() == 1);
    }

    TEST_CASE("a replica that is closed is nobody's role change")
    {
        fake_postgres a;
        proxy_fixture proxy(quick_listener(listener_role::replica));
        proxy.believe({{"a", a.port()}});
        logged_in_client c(proxy);
        REQUIRE(gets_query_answer(c));

        proxy.believe({{"a", a.port(), admission::closed}});

        CHECK(error_field(c.receive_to_end(), 'C') == "57P01");
        c.close();
        CHECK(run_until([&] { return proxy.sessions() == 0; }));
        CHECK(proxy.cut().empty());
        CHECK(proxy.first_sessions().empty());
    }

    TEST_CASE("the first session of every new primary, and no other")
    {
        using names = std::vector<std::string>;
        fake_postgres a;
        fake_postgres b;
        proxy_fixture proxy;
        proxy.believe({{"a", a.port()}});
        {
            const logged_in_client first(proxy);
            CHECK(run_until([&] { return proxy.first_sessions() == names{"a"}; }));
            const logged_in_client second(proxy);
            proxy.believe({{"a", a.port()}, {"b", b.port(), admission::closed}});
            const logged_in_client third(proxy);
            CHECK(run_until([&] { return proxy.relaying() == 3; }));
        }
        CHECK(proxy.first_sessions() == names{"a"});

        proxy.believe({{"a", a.port(), admission::closed}, {"b", b.port()}});
        {
            const logged_in_client first(proxy);
            CHECK(run_until([&] { return proxy.first_sessions() == names{"a", "b"}; }));
        }
        proxy.believe({});
        proxy.believe({{"b", b.port()}});
        const logged_in_client again(proxy);
        CHECK(run_until([&] { return proxy.first_sessions() == names{"a", "b", "b"}; }));
    }
}
