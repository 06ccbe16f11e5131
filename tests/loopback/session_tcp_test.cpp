// SPDX-License-Identifier: PostgreSQL
//
// Clients of a cluster of kind `tcp`: whatever the protocol, bytes pass from the first one on, and
// nothing is ever said that the server has not said.
#include "proxy/session.hpp"

#include "tests/support/proxy_fixture.hpp"
#include "tests/support/silent_address.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

config::listener_settings any_listener()
{
    return quick_listener(config::listener_role::any);
}

config::listener_settings holding_for(std::chrono::milliseconds timeout)
{
    auto s = any_listener();
    s.queue.timeout = scaled(timeout);
    return s;
}

config::cluster_settings any_service()
{
    config::cluster_settings s;
    s.name = "main";
    s.tcp.emplace();
    return s;
}

struct any_proxy : proxy_fixture
{
    explicit any_proxy(config::listener_settings l = any_listener(), std::size_t workers = 1)
        : proxy_fixture(std::move(l), workers, any_service())
    {
    }
};

// Says back what it gets, until the client has nothing more to say.
void echo(stream& s)
{
    for (;;)
    {
        const auto got = s.receive(1);
        if (got.empty() || !s.send(got))
            return;
    }
}

// Speaks first, as SMTP and SSH servers do, and then echoes.
void greet(stream& s)
{
    if (s.send(bytes_of("220 hello\r\n")))
        echo(s);
}

bool echoes(client& c, const byte_vector& data)
{
    c.send(data);
    return c.receive(data.size()) == data;
}

} // namespace

TEST_SUITE("session: any protocol")
{
    TEST_CASE("bytes pass from the first one on, whatever they look like")
    {
        fake_postgres server(echo);
        any_proxy proxy;
        proxy.believe({{"a", server.port()}});
        const byte_vector beginnings[] = {
            bytes_of("x"),
            hex("00"),
            startup(),
            ssl_request(),
            gssenc_request(),
            cancel_request(),
            hex("16 0301 0200 0100 01"),
            bytes_of("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
            bytes_of("GET / HTTP/1.1\r\n\r\n"),
            terminate(),
        };
        std::size_t nth = 0;
        for (const auto& beginning : beginnings)
        {
            CAPTURE(nth);
            client c(proxy.port());
            CHECK(echoes(c, beginning));
            CHECK(echoes(c, bytes_of("more")));
            c.finish_sending();
            CHECK(c.receive_to_end().empty());
            CHECK(c.ended() == ending::fin);
            CHECK(server.received(nth++) == beginning + bytes_of("more"));
        }
        CHECK(run_until([&] { return proxy.ended("--") == std::size(beginnings); }));
        CHECK(proxy.stats().handshake_rejects.empty());
    }

    TEST_CASE("a server that speaks first is heard by a client that says nothing")
    {
        fake_postgres server(greet);
        any_proxy proxy;
        proxy.believe({{"a", server.port()}});

        client c(proxy.port());

        CHECK(c.receive(11) == bytes_of("220 hello\r\n"));
        CHECK(echoes(c, bytes_of("EHLO")));
    }

    TEST_CASE("a member is reached at its next address where one refuses, or IPv6 is silent")
    {
        fake_postgres server(echo);
        const silent_address dead(server.port());
        auto settings = any_listener();
        settings.timeouts.connect = scaled(600ms);
        any_proxy proxy(settings);
        const std::vector<std::string> rows[] = {
            {"127.0.0.9", "127.0.0.1"}, {"::1", "127.0.0.1"}, {"127.0.0.1", "::1"}};
        for (const auto& addresses : rows)
        {
            CAPTURE(addresses.front());
            proxy.believe({{.name = "a", .port = server.port(), .addresses = addresses}});
            client c(proxy.port());
            CHECK(echoes(c, bytes_of("anything")));
        }
        CHECK(server.accepted() == std::size(rows));
        CHECK(proxy.hints().empty());
    }

    TEST_CASE("a client is held without a word until a member is up")
    {
        fake_postgres server(echo);
        any_proxy proxy;
        proxy.believe({{"a", server.port(), admission::closed}});
        client silent(proxy.port());
        client early(proxy.port());
        early.send(bytes_of("early"));
        client done(proxy.port());
        done.send(bytes_of("all I have to say"));
        done.finish_sending();
        REQUIRE(run_until([&] { return proxy.held() == 3; }));
        {
            client gone(proxy.port());
            REQUIRE(run_until([&] { return proxy.held() == 4; }));
        }
        CHECK(run_until([&] { return proxy.held() == 3; }));
        CHECK(silent.quiet());
        CHECK(early.quiet());
        CHECK(done.quiet());

        proxy.believe({{"a", server.port()}});

        CHECK(early.receive(5) == bytes_of("early"));
        CHECK(done.receive_to_end() == bytes_of("all I have to say"));
        CHECK(echoes(silent, bytes_of("at last")));
        CHECK(proxy.held() == 0);
    }

    TEST_CASE("a hold that ends in vain ends without a word")
    {
        fake_postgres server(echo);
        any_proxy proxy(holding_for(100ms));
        proxy.believe({{"a", server.port(), admission::closed}});
        client c(proxy.port());
        c.send(startup());

        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
        CHECK(server.accepted() == 0);

        proxy.believe_stale({{"a", server.port()}});
        client of_stale(proxy.port());
        CHECK(of_stale.receive_to_end().empty());
        CHECK(of_stale.ended() == ending::fin);
    }

    TEST_CASE("a member that refuses is left for another one, unseen by the client")
    {
        fake_postgres refusing;
        fake_postgres server(greet);
        refusing.refuse();
        any_proxy proxy(any_listener(), 2);
        proxy.believe({{"a", refusing.port()}, {"b", server.port()}});

        for (int i = 0; i < 4; ++i)
        {
            client c(proxy.port());
            CHECK(c.receive(11) == bytes_of("220 hello\r\n"));
        }

        CHECK(run_until([&] { return !proxy.hints().empty(); }));
        CHECK(proxy.hints().front() == "a");
        CHECK(proxy.signs().front() == health::life_sign::refused);
        CHECK(server.accepted() == 4);
    }

    TEST_CASE("members are used in turn")
    {
        fake_postgres one(greet);
        fake_postgres two(greet);
        any_proxy proxy;
        proxy.believe({{"a", one.port()}, {"b", two.port()}});
        for (int i = 0; i < 6; ++i)
        {
            client c(proxy.port());
            CHECK(c.receive(11) == bytes_of("220 hello\r\n"));
        }
        CHECK(one.accepted() == 3);
        CHECK(two.accepted() == 3);
    }

    TEST_CASE("sessions of a member that is down end without a word, or go on where that is wanted")
    {
        fake_postgres server(echo);
        auto patient = any_listener();
        patient.on_marked_down = config::marked_down_action::none;
        any_proxy strict;
        any_proxy lenient(patient);
        for (auto* proxy : {&strict, &lenient})
            proxy->believe({{"a", server.port()}});
        client cut(strict.port());
        client kept(lenient.port());
        REQUIRE(echoes(cut, bytes_of("x")));
        REQUIRE(echoes(kept, bytes_of("x")));

        for (auto* proxy : {&strict, &lenient})
            proxy->believe({{"a", server.port(), admission::closed}});

        CHECK(cut.receive_to_end().empty());
        CHECK(cut.ended() == ending::fin);
        CHECK(run_until([&] { return strict.ended("D-") == 1; }));
        CHECK(echoes(kept, bytes_of("still here")));
    }

    TEST_CASE("maxconn makes the next client wait")
    {
        fake_postgres server(greet);
        auto settings = any_listener();
        settings.maxconn = 1;
        any_proxy proxy(settings);
        proxy.believe({{"a", server.port()}});
        auto first = std::make_unique<client>(proxy.port());
        REQUIRE(first->receive(11) == bytes_of("220 hello\r\n"));
        client second(proxy.port());
        REQUIRE(run_until([&] { return proxy.held() == 1; }));
        CHECK(second.quiet());

        first.reset();

        CHECK(second.receive(11) == bytes_of("220 hello\r\n"));
    }

    TEST_CASE("a session without a byte ends after timeouts.client, without a word")
    {
        fake_postgres server(greet);
        auto settings = any_listener();
        settings.timeouts.client = scaled(1s);
        any_proxy proxy(settings);
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        CHECK(c.receive_to_end() == bytes_of("220 hello\r\n"));
        CHECK(c.ended() == ending::fin);
    }

    TEST_CASE("a PROXY header is read where it is demanded, and not a byte behind it is lost")
    {
        fake_postgres server(echo);
        auto settings = any_listener();
        settings.accept_proxy = {{"127.0.0.0", 8}};
        settings.allow = {{"192.0.2.7", 32}};
        any_proxy proxy(settings);
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        c.send(bytes_of("PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\nhello"));
        CHECK(c.receive(5) == bytes_of("hello"));

        client stranger(proxy.port());
        stranger.send(bytes_of("PROXY TCP4 192.0.2.9 192.0.2.8 1 2\r\nhello"));
        CHECK(stranger.receive_to_end().empty());
        client unknown(proxy.port());
        unknown.send(bytes_of("hello, who is there?"));
        CHECK(unknown.receive_to_end().empty());
        CHECK(server.accepted() == 1);
    }

    TEST_CASE("much data passes both ways at once, and the end of one side is no end of the other")
    {
        const auto data = pattern(3'000'000, 7);
        fake_postgres server(
            [&data](stream& s)
            {
                const auto got = s.receive_to_end();
                s.send(got == data ? data : bytes_of("wrong"));
            }
        );
        any_proxy proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        CHECK(c.send(data));
        c.finish_sending();
        CHECK(c.receive_to_end() == data);
        CHECK(c.ended() == ending::fin);
    }
}
