// SPDX-License-Identifier: PostgreSQL
//
// A CancelRequest reaches the server of the session it is meant for, and no other.
#include "proxy/session.hpp"

#include "tests/support/captured_log.hpp"
#include "tests/support/proxy_fixture.hpp"
#include "tests/support/tls_peers.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

using config::listener_role;

byte_vector cancel_of(const byte_vector& key)
{
    return int32(static_cast<std::uint32_t>(8 + key.size())) + hex("04d2162e") + key;
}

byte_vector key_data(const byte_vector& key)
{
    return bytes_of("K") + int32(static_cast<std::uint32_t>(4 + key.size())) + key;
}

byte_vector login_with(const byte_vector& key)
{
    return message('R', std::string(4, '\0')) + key_data(key) + ready('I');
}

// Gives out this key; before that it plays what comes first.
script keyed(
    const byte_vector& key, const script& first = [](stream&) {}
)
{
    return [key, first](stream& s)
    {
        const auto packet = take_startup(s);
        if (packet != startup())
            return;
        first(s);
        s.send(login_with(key));
        serve_queries(s);
    };
}

// AuthenticationCleartextPassword and the password.
void ask_for_password(stream& s)
{
    s.send(hex("52 00000008 00000003"));
    s.receive_message();
}

void log_in(client& c, const byte_vector& key)
{
    c.send(startup());
    REQUIRE(c.receive(login_with(key).size()) == login_with(key));
}

// Until the proxy closes: the servers have got it by then.
void send_cancel(proxy_fixture& proxy, const byte_vector& key)
{
    client c(proxy.port());
    c.send(cancel_of(key));
    CHECK(c.receive_to_end().empty());
    CHECK(c.ended() == ending::fin);
}

bool has_got(const fake_postgres& server, const byte_vector& packet)
{
    for (std::size_t i = 0; i < server.accepted(); ++i)
        if (server.received(i) == packet)
            return true;
    return false;
}

const auto short_key = hex("00000a01 11223344");
const auto other_key = hex("00000a02 55667788");
const auto long_key = hex("00000a03") + pattern(32, 5);

} // namespace

TEST_SUITE("session: cancel keys")
{
    TEST_CASE("a key of any length reaches the session's own server, from any worker")
    {
        fake_postgres a(keyed(short_key));
        fake_postgres b(keyed(other_key));
        proxy_fixture proxy(quick_listener(listener_role::replica), 2);
        proxy.believe({{"a", a.port()}, {"b", b.port()}});
        client first(proxy.port());
        client second(proxy.port());
        first.send(startup());
        second.send(startup());
        REQUIRE(first.receive(1) == bytes_of("R"));
        REQUIRE(second.receive(1) == bytes_of("R"));
        b.play(keyed(long_key));
        client third(proxy.port());
        client fourth(proxy.port());
        third.send(startup());
        fourth.send(startup());
        REQUIRE(run_until([&] { return proxy.relaying() == 4; }));
        REQUIRE(run_until([&] { return proxy.process().keys.size() == 4; }));

        // Two in a row come to both workers.
        for (const auto* key : {&other_key, &long_key})
            for (int i = 0; i < 2; ++i)
            {
                send_cancel(proxy, *key);
                CHECK(has_got(b, cancel_of(*key)));
            }
        CHECK(a.accepted() == 2);
        CHECK(b.accepted() == 2 + 4);
        send_cancel(proxy, short_key);
        CHECK(has_got(a, cancel_of(short_key)));
        CHECK(b.accepted() == 2 + 4);
        CHECK(proxy.stats().cancel_requests["routed"] == 5);
        CHECK(proxy.stats().cancel_requests.size() == 1);
    }

    TEST_CASE("the log tells what became of a cancel")
    {
        fake_postgres server(keyed(short_key));
        const captured_log log;
        proxy_fixture proxy(quick_listener());
        send_cancel(proxy, other_key);
        CHECK(run_until([&] { return log.count(" term=-- why=none cancel=no_member\n") == 1; }));
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        log_in(c, short_key);
        REQUIRE(run_until([&] { return proxy.process().keys.size() == 1; }));

        send_cancel(proxy, short_key);
        CHECK(run_until([&] { return log.count(" term=-- why=none cancel=routed\n") == 1; }));
        CHECK(log.count("event=session_end") == 2);
    }

    TEST_CASE("a cancel goes to that address of the member which the session came to")
    {
        fake_postgres server(keyed(short_key));
        proxy_fixture proxy(quick_listener());
        proxy.believe(
            {{.name = "a", .port = server.port(), .addresses = {"127.0.0.9", "127.0.0.1"}}}
        );
        client c(proxy.port());
        log_in(c, short_key);
        REQUIRE(run_until([&] { return proxy.process().keys.size() == 1; }));

        send_cancel(proxy, short_key);

        CHECK(has_got(server, cancel_of(short_key)));
    }

    TEST_CASE("the key is learnt behind a password dialogue, and in pieces")
    {
        const auto in_pieces = [](stream& s)
        {
            ask_for_password(s);
            for (const auto b : message('R', std::string(4, '\0')) + key_data(long_key))
                s.send({b});
            s.send(ready('I'));
            serve_queries(s);
        };
        fake_postgres a(keyed(other_key, in_pieces));
        fake_postgres b(keyed(short_key, ask_for_password));
        proxy_fixture proxy(quick_listener(listener_role::replica));
        proxy.believe({{"a", a.port()}, {"b", b.port()}});
        for (const auto& key : {long_key, short_key})
        {
            client c(proxy.port());
            c.send(startup());
            REQUIRE(c.receive(9) == hex("52 00000008 00000003"));
            CHECK(proxy.process().keys.size() == 0);
            c.send(message('p', std::string("secret") + '\0'));
            REQUIRE(c.receive(login_with(key).size()) == login_with(key));

            send_cancel(proxy, key);

            CHECK(has_got(key == long_key ? a : b, cancel_of(key)));
            CHECK_FALSE(has_got(key == long_key ? b : a, cancel_of(key)));
            c.close();
            CHECK(run_until([&] { return proxy.process().keys.size() == 0; }));
        }
        CHECK(proxy.stats().cancel_requests["routed"] == 2);
    }

    TEST_CASE("inside TLS and in clear text where TLS is required, for a session in TLS")
    {
        fake_postgres a(keyed(short_key));
        fake_postgres b(keyed(other_key));
        auto settings = tls_listener(listener_role::replica);
        settings.tls.required = true;
        proxy_fixture proxy(settings);
        proxy.believe({{"a", a.port()}, {"b", b.port()}});
        client c(proxy.port());
        REQUIRE(ask_for_tls(c));
        log_in(c, short_key);
        client inside(proxy.port());
        REQUIRE(ask_for_tls(inside));

        inside.send(cancel_of(short_key));
        CHECK(inside.receive_to_end().empty());
        CHECK(inside.ended() == ending::fin);
        send_cancel(proxy, short_key);

        CHECK(a.accepted() == 3);
        CHECK(a.received(1) == cancel_of(short_key));
        CHECK(a.received(2) == cancel_of(short_key));
        CHECK(b.accepted() == 0);
        CHECK(proxy.stats().cancel_requests["routed"] == 2);
    }

    TEST_CASE("a key that came over TLS to the server is known as well")
    {
        fake_postgres a(with_tls(pki().for_server(), keyed(short_key), keyed(other_key)));
        fake_postgres b;
        auto settings = quick_listener(listener_role::replica);
        settings.server_tls.sslmode = config::sslmode::require;
        proxy_fixture proxy(settings);
        proxy.believe({{"a", a.port()}, {"b", b.port(), admission::keep}});
        client c(proxy.port());
        log_in(c, short_key);

        send_cancel(proxy, short_key);

        CHECK(has_got(a, cancel_of(short_key)));
        CHECK(b.accepted() == 0);
    }

    TEST_CASE("when the session has ended its key is forgotten: offered to all")
    {
        fake_postgres a(keyed(short_key));
        fake_postgres b(keyed(other_key));
        proxy_fixture proxy(quick_listener(listener_role::replica));
        proxy.believe({{"a", a.port()}, {"b", b.port()}});
        {
            client c(proxy.port());
            log_in(c, short_key);
        }
        REQUIRE(run_until([&] { return proxy.sessions() == 0; }));
        CHECK(proxy.process().keys.size() == 0);

        send_cancel(proxy, short_key);

        CHECK(has_got(a, cancel_of(short_key)));
        CHECK(has_got(b, cancel_of(short_key)));
        CHECK(proxy.stats().cancel_requests["offered"] == 1);
        CHECK(proxy.stats().cancel_requests["routed"] == 0);
    }

    TEST_CASE("a flood of unknown keys is limited, and known ones still pass")
    {
        fake_postgres server(keyed(short_key));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client session(proxy.port());
        log_in(session, short_key);

        std::size_t sent = 0;
        while (sent < 2000 && proxy.stats().cancel_requests["rate_limited"] == 0)
        {
            std::vector<std::unique_ptr<client>> flood;
            for (int i = 0; i < 40; ++i, ++sent)
            {
                flood.push_back(std::make_unique<client>(proxy.port()));
                flood.back()->send(cancel_of(other_key));
            }
            for (auto& c : flood)
                CHECK(c->receive_to_end().empty());
        }
        const auto counted = proxy.stats().cancel_requests;
        CHECK(counted.at("rate_limited") > 0);
        CHECK(counted.at("offered") >= 100);
        CHECK(counted.at("offered") + counted.at("rate_limited") == sent);
        CHECK(server.accepted() == 1 + counted.at("offered"));

        send_cancel(proxy, short_key);

        CHECK(has_got(server, cancel_of(short_key)));
        CHECK(proxy.stats().cancel_requests["routed"] == 1);
    }
}
