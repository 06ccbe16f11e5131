// SPDX-License-Identifier: PostgreSQL
//
// Sessions that are ended while something is under way: at a boundary between two messages, when
// they are idle, or when the time for that is over.
#include "proxy/relay.hpp"

#include "tests/support/proxy_fixture.hpp"

#include <doctest/doctest.h>

#include <atomic>

#include <algorithm>
#include <future>
#include <sys/socket.h>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

byte_vector row_of(std::size_t size)
{
    return message('D', std::string(size - 5, 'x'));
}

script after_login(const script& then)
{
    return [then](stream& s)
    {
        take_startup(s);
        s.send(login_answer());
        then(s);
    };
}

config::listener_settings draining(std::chrono::milliseconds deadline = patience)
{
    auto s = quick_listener();
    s.on_marked_down = config::marked_down_action::drain;
    s.drain_deadline = scaled(deadline);
    return s;
}

bool gets(client& c, const byte_vector& answer)
{
    return c.receive(answer.size()) == answer;
}

// What is left of these bytes behind as many whole messages as there are.
byte_vector behind(byte_vector bytes, const byte_vector& whole)
{
    while (bytes.size() >= whole.size() && std::equal(whole.begin(), whole.end(), bytes.begin()))
        bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(whole.size()));
    return bytes;
}

bool is_role_lost(const byte_vector& told)
{
    return error_field(told, 'C') == "57P01" &&
           error_field(told, 'M').find("no longer the primary") != std::string::npos;
}

// A relay of its own, between two pairs of sockets, and how often it has told of its end.
struct lone_relay final : proxy::relay_owner
{
    struct pair
    {
        pair()
        {
            int fds[2];
            REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
            ours.reset(fds[0]);
            theirs.reset(fds[1]);
        }
        proxy::unique_fd ours;
        proxy::unique_fd theirs;
    };

    void on_half_closed() override {}
    void on_relay_end(proxy::errc) override { ++ends; }
    void on_backend_key(pgwire::bytes) override {}
    void on_idle() override {}

    // As long as there is anything to do, and a few turns more.
    void run()
    {
        proxy::event_loop::alarm enough(loop);
        enough.call_at(
            std::chrono::steady_clock::now() + 50ms,
            proxy::completion([this](auto) { loop.stop(); })
        );
        loop.run();
    }

    pair client;
    pair server;
    proxy::event_loop loop;
    proxy::transport to_client{loop, std::move(client.ours)};
    proxy::transport to_server{loop, std::move(server.ours)};
    proxy::buffer_pool buffers{16};
    proxy::relay::tick now = 0;
    int ends = 0;
    proxy::relay relay{to_client, to_server, loop, buffers, now, *this};
};

bool begins_with(const byte_vector& bytes, const byte_vector& prefix)
{
    return bytes.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), bytes.begin());
}

} // namespace

TEST_SUITE("relay: ended in the middle")
{
    TEST_CASE("the message is finished, 57P01 follows, and nothing of what is behind it")
    {
        // A machine that stands still for a tenth of a second ends the session without words.
        bool told = false;
        for (int attempt = 0; attempt < 5 && !told; ++attempt)
            for (const bool tls : {false, true})
            {
                CAPTURE(tls);
                const auto large = row_of(200'000);
                const byte_vector half(large.begin(), large.begin() + 100'000);
                const byte_vector rest(large.begin() + 100'000, large.end());
                std::promise<void> go_on;
                auto going_on = go_on.get_future().share();
                fake_postgres server(after_login(
                    [&](stream& s)
                    {
                        s.receive_message();
                        s.send(half);
                        going_on.wait();
                        s.send(rest + query_answer('I'));
                        s.receive_to_end();
                    }
                ));
                proxy_fixture proxy(tls_listener());
                proxy.believe({{"a", server.port()}});
                client c(proxy.port());
                if (tls)
                    REQUIRE(ask_for_tls(c));
                c.send(startup());
                REQUIRE(gets(c, login_answer()));
                c.send(query("select 1"));
                REQUIRE(gets(c, half));

                proxy.believe({{"a", server.port(), admission::closed}});
                REQUIRE(run_until([&] { return !proxy.cut().empty(); }));
                c.send(query("select 2")); // goes nowhere
                go_on.set_value();

                const auto got = c.receive_to_end();
                CHECK(c.ended() == ending::fin);
                told = begins_with(got, rest);
                if (told)
                    CHECK(is_role_lost({got.begin() + 100'000, got.end()}));
                else
                    CHECK(begins_with(rest, got));
                CHECK(run_until([&] { return server.open() == 0; }));
                CHECK(begins_with(startup() + query("select 1"), server.received()));
                CHECK(proxy.ended("D-") == 1);
            }
        CHECK(told);
    }

    TEST_CASE("a server that hangs in the middle: ended without words, in TLS with close_notify")
    {
        const auto half = hex("44 000003e8 0001") + pattern(100, 1);
        fake_postgres server(after_login(
            [&](stream& s)
            {
                s.send(half);
                s.receive_to_end();
            }
        ));
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        tls_client tls(proxy);
        logged_in_client clear(proxy);
        REQUIRE(gets(tls, half));
        REQUIRE(gets(clear, half));

        proxy.believe({{"a", server.port(), admission::closed}});

        for (auto* c : {static_cast<client*>(&tls), static_cast<client*>(&clear)})
        {
            CHECK(c->receive_to_end().empty());
            CHECK(c->ended() == ending::fin);
        }
        CHECK(run_until([&] { return server.open() == 0; }));
        CHECK(proxy.ended("D-") == 2);
    }

    TEST_CASE("a header that is cut in two is finished as well, or not begun")
    {
        fake_postgres server(after_login(
            [](stream& s)
            {
                s.send(hex("44 0000"));
                s.receive_to_end();
            }
        ));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        REQUIRE(gets(c, hex("44 0000")));

        proxy.believe({{"a", server.port(), admission::closed}});

        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
    }

    TEST_CASE("of what the client has not taken only whole messages are left, then 57P01")
    {
        const auto row = row_of(7001);
        fake_postgres server(after_login(
            [&](stream& s)
            {
                while (s.send(row))
                    ;
            }
        ));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port(), 4096);
        c.send(startup());
        REQUIRE(gets(c, login_answer()));
        REQUIRE(run_until([&] { return proxy.parked() == 1; }));

        proxy.believe({{"a", server.port(), admission::closed}});
        REQUIRE(run_until([&] { return proxy.ended("D-") == 1; }));

        // Unless the kernel has taken the beginning of the last one for the client already.
        const auto rest = behind(c.receive_to_end(), row);
        const bool begun =
            rest.size() < row.size() && std::ranges::equal(rest, std::span(row).first(rest.size()));
        CHECK((begun || is_role_lost(rest)));
        CHECK(c.ended() == ending::fin);
    }

    TEST_CASE("clients that read nothing are given up, in clear text and in TLS")
    {
        const auto row = row_of(7001);
        fake_postgres server(after_login(
            [&](stream& s)
            {
                while (s.send(row))
                    ;
            }
        ));
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        client clear(proxy.port(), 4096);
        client tls(proxy.port(), 4096);
        REQUIRE(ask_for_tls(tls));
        clear.send(startup());
        tls.send(startup());
        REQUIRE(run_until([&] { return proxy.parked() == 2; }));

        proxy.believe({{"a", server.port(), admission::closed}});

        CHECK(run_until([&] { return server.open() == 0; }));
        CHECK(proxy.sessions() == 2); // the servers go first
        CHECK(run_until([&] { return proxy.sessions() == 0; }));
        CHECK(proxy.parked() == 0);
        CHECK(proxy.ended("D-") == 2);
    }
}

TEST_SUITE("relay: its end")
{
    TEST_CASE("is told once, also when it is found in a turn that was asked for")
    {
        lone_relay r;
        ::shutdown(r.client.theirs.get(), SHUT_WR);
        // More buffers than one turn takes, and the end right behind them.
        const std::string answer(16 * 8, 'x');
        REQUIRE(
            ::send(r.server.theirs.get(), answer.data(), answer.size(), 0) ==
            static_cast<ssize_t>(answer.size())
        );
        r.server.theirs.reset();
        r.relay.start_opaque();
        r.run();
        CHECK(r.ends == 1);
    }

    TEST_CASE("is told once to who stops it twice")
    {
        lone_relay r;
        r.relay.start_opaque();
        r.relay.stop(proxy::errc::role_lost);
        r.relay.stop(proxy::errc::shutting_down);
        CHECK(r.ends == 0); // never from within stop()
        r.run();
        CHECK(r.ends == 1);
    }
}

TEST_SUITE("relay: COPY")
{
    // CopyInResponse and CopyOutResponse, text format, no columns.
    const auto copy_in = hex("47 00000007 00 0000");
    const auto copy_out = hex("48 00000007 00 0000");
    const auto copy_done = hex("63 00000004");

    TEST_CASE("both ways, and an end at the boundary between two of its messages")
    {
        const auto chunk = message('d', std::string(50'000, 'c'));
        fake_postgres server(after_login(
            [&](stream& s)
            {
                s.receive_message();
                s.send(copy_in);
                for (;;)
                {
                    const auto m = s.receive_message();
                    if (m != chunk)
                    {
                        s.send(m == copy_done ? query_answer('I') : ready('E'));
                        break;
                    }
                }
                s.receive_message();
                s.send(copy_out + chunk + chunk);
                s.receive_to_end();
            }
        ));
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        tls_client c(proxy);
        c.send(query("copy t from stdin"));
        REQUIRE(gets(c, copy_in));
        for (int i = 0; i < 20; ++i)
            c.send(chunk);
        c.send(copy_done);
        REQUIRE(gets(c, query_answer('I')));
        c.send(query("copy t to stdout"));
        REQUIRE(gets(c, copy_out + chunk + chunk));

        proxy.believe({{"a", server.port(), admission::closed}});

        CHECK(is_role_lost(c.receive_to_end()));
        CHECK(c.ended() == ending::fin);
    }

    TEST_CASE("drain: it ends behind the COPY, not within, though Sync does not come out even")
    {
        const auto sync = hex("53 00000004");
        fake_postgres server(after_login(
            [&](stream& s)
            {
                s.receive(sync.size());
                s.send(copy_in);
                s.receive(copy_done.size() + 2 * sync.size());
                s.send(query_answer('I'));
                s.receive_to_end();
            }
        ));
        proxy_fixture proxy(draining());
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        c.send(sync);
        REQUIRE(gets(c, copy_in));

        proxy.believe({{"a", server.port(), admission::closed}});
        static_cast<void>(proxy.sessions()); // it is known now
        CHECK(c.quiet());
        c.send(sync + copy_done + sync); // the first is ignored within COPY

        CHECK(gets(c, query_answer('I')));
        CHECK(is_role_lost(c.receive_to_end()));
    }

    TEST_CASE("drain: a query sent together with the COPY's end is answered first")
    {
        const auto sync = hex("53 00000004");
        const auto execute = message('E', std::string(5, '\0'));
        std::atomic<bool> told = false;
        fake_postgres server(after_login(
            [&](stream& s)
            {
                s.receive(execute.size() + sync.size());
                s.send(copy_in);
                s.receive(copy_done.size() + sync.size() + query("select 1").size());
                s.send(query_answer('I')); // the COPY's
                static_cast<void>(run_until([&] { return told.load(); }));
                s.send(query_answer('I'));
                s.receive_to_end();
            }
        ));
        proxy_fixture proxy(draining());
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        c.send(execute + sync);
        REQUIRE(gets(c, copy_in));
        c.send(copy_done + sync + query("select 1"));
        REQUIRE(gets(c, query_answer('I')));

        proxy.believe({{"a", server.port(), admission::closed}});
        static_cast<void>(proxy.sessions()); // it is known now
        CHECK(c.quiet());
        told = true;

        CHECK(gets(c, query_answer('I')));
        CHECK(is_role_lost(c.receive_to_end()));
    }
}

TEST_SUITE("relay: drain")
{
    TEST_CASE("idle sessions end at once, those in a transaction at its end")
    {
        fake_postgres server;
        proxy_fixture proxy(draining());
        proxy.believe({{"a", server.port()}});
        logged_in_client idle(proxy);
        logged_in_client committing(proxy);
        committing.send(query("begin"));
        REQUIRE(gets(committing, query_answer('T')));

        proxy.believe({{"a", server.port(), admission::closed}});

        CHECK(is_role_lost(idle.receive_to_end()));
        CHECK(run_until([&] { return proxy.relaying() == 1; }));
        committing.send(query("select 1"));
        CHECK(gets(committing, query_answer('T')));
        CHECK(committing.quiet());
        committing.send(query("commit"));
        CHECK(gets(committing, query_answer('I')));
        CHECK(is_role_lost(committing.receive_to_end()));
    }

    TEST_CASE("a query that runs for long is not taken for idleness")
    {
        fake_postgres server;
        proxy_fixture proxy(draining());
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        c.send(query("wait"));
        REQUIRE(run_until([&] { return server.received() == startup() + query("wait"); }));

        proxy.believe({{"a", server.port(), admission::closed}});

        CHECK_FALSE(run_until([&] { return !c.quiet(); }, 300ms));
    }

    TEST_CASE("requests that were sent together are all answered")
    {
        std::promise<void> go_on;
        auto going_on = go_on.get_future().share();
        fake_postgres server(after_login(
            [&](stream& s)
            {
                const auto both = query("select 1") + query("select 2");
                s.receive(both.size());
                s.send(query_answer('I'));
                going_on.wait();
                s.send(query_answer('I'));
                s.receive_to_end();
            }
        ));
        proxy_fixture proxy(draining());
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        c.send(query("select 1") + query("select 2"));
        REQUIRE(gets(c, query_answer('I')));

        proxy.believe({{"a", server.port(), admission::closed}});
        static_cast<void>(proxy.sessions()); // it is known now
        CHECK(proxy.relaying() == 1);
        CHECK(c.quiet());
        go_on.set_value();

        CHECK(gets(c, query_answer('I')));
        CHECK(is_role_lost(c.receive_to_end()));
    }

    TEST_CASE("at the deadline a transaction is ended all the same")
    {
        fake_postgres server;
        proxy_fixture proxy(draining(100ms));
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        c.send(query("begin"));
        REQUIRE(gets(c, query_answer('T')));

        proxy.believe({{"a", server.port(), admission::closed}});

        CHECK(is_role_lost(c.receive_to_end()));
        CHECK(proxy.ended("D-") == 1);
        CHECK(run_until([&] { return server.open() == 0; }));
    }

    TEST_CASE("none: sessions stay, new ones do not come")
    {
        fake_postgres a;
        fake_postgres b;
        auto settings = quick_listener();
        settings.on_marked_down = config::marked_down_action::none;
        proxy_fixture proxy(settings);
        proxy.believe({{"a", a.port()}});
        logged_in_client old(proxy);

        proxy.believe({{"a", a.port(), admission::closed}, {"b", b.port()}});
        logged_in_client fresh(proxy);

        old.send(query("select 1"));
        CHECK(gets(old, query_answer('I')));
        CHECK(a.accepted() == 1);
        CHECK(b.accepted() == 1);
    }
}
