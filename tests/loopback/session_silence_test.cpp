// SPDX-License-Identifier: PostgreSQL
//
// Silence: of a server that takes a connection and answers nothing, and of both sides while a
// session relays, in clear text and inside TLS that passes through unread.
#include "proxy/session.hpp"

#include "tests/support/captured_log.hpp"
#include "tests/support/proxy_fixture.hpp"

#include <atomic>
#include <doctest/doctest.h>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

using clock = std::chrono::steady_clock;
using config::listener_role;

// Some of a ClientHello: TLS from the first byte, which passes unread.
const auto hello = hex("16 0301 0200 0100 01");
const auto record = hex("17 0303 0001 02");

bool gets_login_answer(client& c)
{
    return c.receive(login_answer().size()) == login_answer();
}

bool is_answered(client& c)
{
    c.send(query("select 1"));
    return c.receive(query_answer('I').size()) == query_answer('I');
}

// Nothing comes, and nothing ends, for so long.
bool stays_quiet(const stream& c, std::chrono::milliseconds time)
{
    return !run_until([&] { return !c.quiet(); }, time);
}

void pass(std::chrono::milliseconds time)
{
    static_cast<void>(run_until([] { return false; }, time));
}

// For a script: until the test says so, or is over.
void await(const std::atomic<bool>& said)
{
    static_cast<void>(run_until([&] { return said.load(); }));
}

void check_told(client& c, const char* sqlstate, const std::string& in_message)
{
    const auto told = c.receive_to_end();
    CHECK(error_field(told, 'C') == sqlstate);
    const auto text = error_field(told, 'M');
    CAPTURE(text);
    CHECK(text.find(in_message) != text.npos);
    CHECK(c.ended() == ending::fin);
}

config::listener_settings with_idle_limit(std::chrono::milliseconds limit)
{
    auto s = quick_listener();
    s.timeouts.client = scaled(limit);
    return s;
}

// A session of TLS that passes through, past its opening: the server has said one byte.
void open_unread(client& c)
{
    c.send(hello);
    REQUIRE(c.receive(1) == bytes_of("!"));
}

script after_hello(const script& then)
{
    return [then](stream& s)
    {
        s.receive(hello.size());
        s.send(bytes_of("!"));
        then(s);
    };
}

} // namespace

TEST_SUITE("session: a server that says nothing")
{
    TEST_CASE("it costs one client timeouts.connect where another could be asked; others none")
    {
        for (const bool asks_for_tls : {false, true})
        {
            CAPTURE(asks_for_tls);
            const captured_log log;
            fake_postgres hung(silent());
            fake_postgres good;
            auto settings = quick_listener(listener_role::replica);
            settings.timeouts.connect = scaled(1s);
            settings.queue.timeout = scaled(5s);
            proxy_fixture proxy(settings);
            proxy.believe({{"a", hung.port()}, {"b", good.port()}});
            client first(proxy.port());
            const auto began = clock::now();

            if (asks_for_tls)
            {
                first.send(ssl_request());
                CHECK(first.receive(1) == bytes_of("N"));
            }
            first.send(startup());

            CHECK(gets_login_answer(first));
            CHECK(clock::now() - began < settings.timeouts.handshake / 2);
            CHECK(hung.accepted() == 1);
            for (int i = 0; i < 4; ++i)
                logged_in_client next(proxy);
            CHECK(hung.accepted() == 1);
            CHECK(good.accepted() == 5);
            CHECK(proxy.hints() == std::vector<std::string>{"a"});
            CHECK(proxy.signs() == std::vector{health::life_sign::silent});
            CHECK(log.count("event=server_silent") == 1);
            CHECK(log.count("event=server_silent listener=read member=a ") == 1);
        }
    }

    TEST_CASE("many clients at once: those that it has got are led to the other one")
    {
        const captured_log log;
        fake_postgres hung(silent());
        fake_postgres good;
        auto settings = quick_listener(listener_role::replica);
        settings.timeouts.connect = scaled(1s);
        settings.queue.timeout = scaled(5s);
        proxy_fixture proxy(settings);
        proxy.believe({{"a", hung.port()}, {"b", good.port()}});
        std::vector<std::unique_ptr<client>> clients;
        for (int i = 0; i < 6; ++i)
        {
            clients.push_back(std::make_unique<client>(proxy.port()));
            clients.back()->send(startup());
        }

        for (auto& c : clients)
            CHECK(gets_login_answer(*c));

        CHECK(hung.accepted() > 0);
        CHECK(good.accepted() == 6);
        CHECK(log.count("event=server_silent") == 1);
    }

    TEST_CASE("the only member is tried again, however silent it was")
    {
        const captured_log log;
        fake_postgres server(one_after_another({silent(), silent(), serving()}));
        auto settings = quick_listener();
        settings.timeouts.handshake = scaled(300ms);
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(startup());

        CHECK(gets_login_answer(c));
        CHECK(server.accepted() == 3);
        CHECK(log.count("event=server_silent") == 1); // not for each try
        logged_in_client next(proxy);
        CHECK(server.accepted() == 4);
    }

    TEST_CASE("the only member may take its time: timeouts.handshake, not timeouts.connect")
    {
        std::atomic<bool> now = false;
        fake_postgres server(
            [&](stream& s)
            {
                take_startup(s);
                await(now);
                s.send(login_answer());
                serve_queries(s);
            }
        );
        auto settings = quick_listener();
        settings.timeouts.connect = scaled(200ms);
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        c.send(startup());
        CHECK(stays_quiet(c, 800ms));

        now = true;

        CHECK(gets_login_answer(c));
        CHECK(server.accepted() == 1);
    }

    TEST_CASE("timeouts.connect again where somebody would stand in for one without its Patroni")
    {
        fake_postgres hung(silent());
        fake_postgres primary;
        auto settings = quick_listener(listener_role::replica);
        settings.timeouts.connect = scaled(1s); // less says nothing of the member
        settings.timeouts.handshake = scaled(2 * patience);
        proxy_fixture proxy(settings);
        believed a{"a", hung.port()};
        a.rule = "listed-replica";
        believed p{"p", primary.port(), admission::keep};
        p.rule = "fallback-over";
        proxy.believe({a, p});
        client c(proxy.port());
        c.send(startup());
        REQUIRE(run_until([&] { return !proxy.hints().empty(); }));
        CHECK(proxy.signs().front() == health::life_sign::silent);

        a.verdict = admission::keep;
        p.verdict = admission::open;
        proxy.believe({a, p});

        CHECK(gets_login_answer(c));
        CHECK(primary.accepted() == 1);
    }

    TEST_CASE("a client that takes its time behind an N is held anew when the server says 57P03")
    {
        const auto starting_up = fatal("57P03", "the database system is starting up");
        fake_postgres server(one_after_another({refusing_startup(starting_up), serving()}));
        auto settings = quick_listener();
        settings.queue.timeout = scaled(2s);
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        c.send(ssl_request());
        REQUIRE(c.receive(1) == bytes_of("N"));
        CHECK(stays_quiet(c, 2300ms)); // no longer held, but as long

        c.send(startup());

        CHECK(gets_login_answer(c));
        CHECK(server.accepted() == 2);
    }
}

TEST_SUITE("session: silence begins with the last byte that was needed")
{
    TEST_CASE("the end of an answer, not the question")
    {
        std::atomic<bool> now = false;
        fake_postgres server(
            [&](stream& s)
            {
                take_startup(s);
                s.send(login_answer());
                s.receive_message();
                await(now);
                s.send(query_answer('I'));
                serve_queries(s);
            }
        );
        proxy_fixture proxy(with_idle_limit(3s));
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        c.send(query("select pg_sleep(3)"));
        CHECK(stays_quiet(c, 4s));

        now = true;

        CHECK(c.receive(query_answer('I').size()) == query_answer('I'));
        CHECK(stays_quiet(c, 1s));
        const auto asked = clock::now();
        CHECK(is_answered(c));
        check_told(c, "57P05", "idle-session timeout");
        CHECK(clock::now() - asked > scaled(3s) - 200ms); // which is counted in tenths of a second
        CHECK(proxy.ended("cD") == 1);
    }

    TEST_CASE("the bytes of either side, where they cannot be read")
    {
        std::atomic<bool> enough = false;
        fake_postgres server(after_hello(
            [&](stream& s)
            {
                while (!enough)
                {
                    s.send(record);
                    pass(20ms);
                }
                s.receive_to_end();
            }
        ));
        proxy_fixture proxy(with_idle_limit(3s));
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        open_unread(c);

        CHECK(!run_until([&] { return proxy.ended() > 0; }, 5s));

        enough = true;
        c.receive_to_end();
        CHECK(c.ended() == ending::fin);
        CHECK(proxy.ended("cD") == 1);
        CHECK(run_until([&] { return server.open() == 0; }));
    }
}

TEST_SUITE("session: the end of TLS that passes through")
{
    TEST_CASE("a reset of the server behind the client's end is no accident")
    {
        std::atomic<bool> gone = false;
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        const script ways[] = {
            [&](stream& s) // maybe before the proxy has seen the client's end
            {
                s.receive(record.size());
                await(gone);
                s.reset();
            },
            [](stream& s)
            {
                s.receive_to_end();
                s.reset();
            },
        };
        std::size_t n = 0;
        for (const auto& way : ways)
        {
            CAPTURE(n);
            gone = false;
            server.play(after_hello(way));
            client c(proxy.port());
            open_unread(c);

            c.send(record);
            c.close();
            gone = true;

            CHECK(run_until([&] { return proxy.sessions() == 0; }));
            CHECK(proxy.ended("--") == ++n);
            CHECK(proxy.ended() == n);
        }
        CHECK(proxy.hints().empty());
    }

    TEST_CASE("a reset of the server while the client is there is one, and a hint")
    {
        fake_postgres server(after_hello(
            [](stream& s)
            {
                s.receive(record.size());
                s.reset();
            }
        ));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        open_unread(c);

        c.send(record);

        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
        CHECK(proxy.ended("SD") == 1);
        CHECK(proxy.hints() == std::vector<std::string>{"a"});
    }
}
