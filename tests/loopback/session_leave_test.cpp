// SPDX-License-Identifier: PostgreSQL
//
// Sessions that are to leave: what counts as under way until then, what ends them all the same, and
// a goodbye that is at nobody else's expense.
#include "proxy/session.hpp"

#include "tests/support/proxy_fixture.hpp"

#include <atomic>
#include <doctest/doctest.h>
#include <memory>

#include <poll.h>
#include <thread>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

using clock = std::chrono::steady_clock;
using config::listener_role;

bool is_answered(client& c, char status = 'I', const char* text = "select 1")
{
    c.send(query(text));
    return c.receive(query_answer(status).size()) == query_answer(status);
}

// Nothing comes, and nothing ends, for so long.
bool stays_quiet(const stream& c, std::chrono::milliseconds time)
{
    return !run_until([&] { return !c.quiet(); }, time);
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

// It can send no more.
bool is_broken(const client& c)
{
    ::pollfd p{c.fd(), 0, 0};
    return ::poll(&p, 1, 0) > 0;
}

config::listener_settings draining()
{
    auto s = quick_listener();
    s.on_marked_down = config::marked_down_action::drain;
    s.drain_deadline = scaled(patience);
    return s;
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

} // namespace

TEST_SUITE("session: an extended query without Sync is under way")
{
    // Parse, Bind and Execute of the unnamed statement, and a Flush.
    const auto asked = message('P', std::string("\0select 1\0\0\0", 12)) +
                       message('B', std::string(8, '\0')) + message('E', std::string(5, '\0')) +
                       message('H');
    const auto sync = message('S');
    const auto answer = message('1') + message('2') + message('C', std::string("SELECT 1\0", 9));

    // Answers when the test says so, and the Sync that follows at once.
    script answering(const std::atomic<bool>& now)
    {
        return after_login(
            [&now](stream& s)
            {
                s.receive(asked.size());
                await(now);
                s.send(answer);
                s.receive(sync.size());
                s.send(ready('I'));
                s.receive_to_end();
            }
        );
    }

    TEST_CASE("a client that waits for its answer is not silent")
    {
        std::atomic<bool> now = false;
        fake_postgres server(answering(now));
        auto settings = quick_listener();
        settings.timeouts.client = scaled(1s);
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        c.send(asked);

        CHECK(stays_quiet(c, 3s));

        now = true;
        CHECK(c.receive(answer.size()) == answer);
        c.send(sync);
        CHECK(c.receive(ready('I').size()) == ready('I'));
        check_told(c, "57P05", "idle-session timeout");
    }

    TEST_CASE("a session that is to leave ends behind the Sync")
    {
        std::atomic<bool> now = false;
        fake_postgres server(answering(now));
        proxy_fixture shut(quick_listener());
        proxy_fixture drained(draining());
        shut.believe({{"a", server.port()}});
        drained.believe({{"a", server.port()}});
        logged_in_client of_shut(shut);
        logged_in_client of_drained(drained);
        of_shut.send(asked);
        of_drained.send(asked);
        const auto whole = startup().size() + asked.size();
        REQUIRE(run_until(
            [&] { return server.received_size(0) == whole && server.received_size(1) == whole; }
        ));

        shut.begin_shutdown();
        drained.believe({{"a", server.port(), admission::closed}});

        CHECK(stays_quiet(of_shut, 400ms));
        CHECK(of_drained.quiet());
        now = true;
        for (auto* c : {&of_shut, &of_drained})
        {
            CHECK(c->receive(answer.size()) == answer);
            CHECK(stays_quiet(*c, 300ms));
            c->send(sync);
            CHECK(c->receive(ready('I').size()) == ready('I'));
        }
        check_told(of_shut, "57P01", "shutting down");
        check_told(of_drained, "57P01", "no longer the primary");
    }
}

TEST_SUITE("session: told to leave while a server is sought")
{
    TEST_CASE("a member that refuses then is the end: 57P03 at once, no other try, no hold")
    {
        std::atomic<bool> now = false;
        const script ways[] = {
            [&](stream& s)
            {
                take_startup(s);
                await(now);
                s.send(fatal("57P03", "the database system is shutting down"));
            },
            [&](stream& s)
            {
                take_startup(s);
                await(now);
            },
        };
        for (const auto& way : ways)
        {
            now = false;
            fake_postgres server(way);
            proxy_fixture proxy;
            proxy.believe({{"a", server.port()}});
            client c(proxy.port());
            c.send(startup());
            REQUIRE(run_until([&] { return server.received() == startup(); }));
            proxy.begin_shutdown();
            static_cast<void>(proxy.sessions()); // it is known now
            CHECK(c.quiet());
            const auto began = clock::now();

            now = true;

            check_told(c, "57P03", "the proxy is shutting down");
            CHECK(clock::now() - began < scaled(patience) / 2);
            CHECK(server.accepted() == 1);
        }
    }

    TEST_CASE("one that has got a server after all is idle behind the login, and ends")
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
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        c.send(startup() + query("begin"));
        REQUIRE(run_until([&] { return server.received() == startup(); }));
        proxy.begin_shutdown();
        static_cast<void>(proxy.sessions()); // it is known now

        now = true;

        CHECK(c.receive(login_answer().size()) == login_answer());
        check_told(c, "57P01", "shutting down");
        CHECK(run_until([&] { return server.ended() == ending::fin; }));
        CHECK(server.received() == startup());
    }
}

TEST_SUITE("session: on_stale shutdown_sessions ends")
{
    TEST_CASE("one that drains")
    {
        fake_postgres server;
        proxy_fixture proxy(draining());
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        REQUIRE(is_answered(c, 'T', "begin"));
        proxy.believe({{"a", server.port(), admission::closed}});
        CHECK(is_answered(c, 'T')); // it may go on to its end
        const auto began = clock::now();

        proxy.believe_stale(
            {{"a", server.port(), admission::closed}}, config::stale_action::shutdown_sessions
        );

        check_told(c, "57P01", "the state of the cluster is not known");
        CHECK(clock::now() - began < scaled(patience) / 2); // not by the deadline
        CHECK(proxy.stats().members["a"].shut_down["view_lost"] == 1);
    }

    TEST_CASE("one that a shutdown waits for")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        REQUIRE(is_answered(c, 'T', "begin"));
        proxy.begin_shutdown();
        CHECK(is_answered(c, 'T'));

        proxy.believe_stale({{"a", server.port()}}, config::stale_action::shutdown_sessions);

        check_told(c, "57P01", "the state of the cluster is not known");
    }

    TEST_CASE("one whose client has closed its side")
    {
        std::atomic<bool> over = false;
        fake_postgres server(after_login(
            [&](stream& s)
            {
                s.receive_to_end();
                await(over);
            }
        ));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        c.finish_sending();
        REQUIRE(run_until([&] { return server.ended() == ending::fin; }));
        static_cast<void>(proxy.sessions()); // the proxy is done with it, too
        const auto began = clock::now();

        proxy.believe_stale({{"a", server.port()}}, config::stale_action::shutdown_sessions);

        check_told(c, "57P01", "the state of the cluster is not known");
        CHECK(clock::now() - began < scaled(patience) / 2); // not by client_fin
        CHECK(proxy.ended("D-") == 1);
        over = true;
    }
}

TEST_SUITE("session: goodbye")
{
    TEST_CASE("a client that sends without end keeps nobody waiting, and is closed in the end")
    {
        const auto copy_in = hex("47 00000007 00 0000");
        fake_postgres taking(after_login(
            [&](stream& s)
            {
                s.stop_recording();
                s.receive_message();
                s.send(copy_in);
                while (!s.receive(65536).empty())
                    ;
            }
        ));
        fake_postgres serving_others;
        proxy_fixture proxy(quick_listener(listener_role::replica));
        proxy.believe({{"a", taking.port()}, {"b", serving_others.port()}});
        logged_in_client flooding(proxy);
        logged_in_client other(proxy);
        flooding.send(query("copy t from stdin"));
        REQUIRE(flooding.receive(copy_in.size()) == copy_in);
        std::atomic<bool> closed = false;
        const std::jthread flood(
            [&](const std::stop_token& enough)
            {
                const auto chunk = message('d', std::string(1'000'000, 'c'));
                while (!enough.stop_requested() && !is_broken(flooding))
                    static_cast<void>(flooding.send_some(chunk)); // the socket is never empty
                closed = true;
            }
        );
        REQUIRE(run_until([&] { return taking.received_size() > 10'000'000; }));
        const auto began = clock::now();

        proxy.believe({{"a", taking.port(), admission::closed}, {"b", serving_others.port()}});

        const auto told = flooding.receive_message();
        CHECK(error_field(told, 'C') == "57P01");
        CHECK(run_until(
            [&]
            {
                CHECK(is_answered(other));
                return closed.load();
            }
        ));
        CHECK(clock::now() - began >= 2s); // the time to read the last words in
        CHECK(is_answered(other));
        CHECK(proxy.ended("D-") == 1);
    }
}

TEST_SUITE("session: back from a member that stood in for others")
{
    // How many have been told to go, of those that have not been counted yet.
    std::size_t take_told(std::vector<std::unique_ptr<logged_in_client>> & clients)
    {
        return std::erase_if(
            clients,
            [](const auto& c)
            {
                if (c->quiet())
                    return false;
                check_told(*c, "57P01", "another member is there for it");
                return true;
            }
        );
    }

    TEST_CASE("idle sessions go back a few at a time, one in a transaction when that has ended")
    {
        fake_postgres primary;
        fake_postgres replica;
        proxy_fixture proxy(quick_listener(listener_role::replica));
        proxy.believe({{.name = "a", .port = primary.port(), .rule = "fallback"}});
        std::vector<std::unique_ptr<logged_in_client>> idle;
        for (int i = 0; i < 12; ++i)
            idle.push_back(std::make_unique<logged_in_client>(proxy));
        primary.play(after_login(
            [](stream& s)
            {
                s.receive_message();
                s.send(query_answer('T'));
                s.receive_message();
                s.send(query_answer('I'));
                s.receive_to_end();
            }
        ));
        logged_in_client busy(proxy);
        REQUIRE(is_answered(busy, 'T', "begin"));
        REQUIRE(run_until([&] { return proxy.relaying() == 13; }));

        proxy.believe(
            {{.name = "a",
              .port = primary.port(),
              .verdict = admission::keep,
              .rule = "fallback-over"},
             {.name = "b", .port = replica.port()}}
        );

        // A tenth of those that are left, every second.
        REQUIRE(run_until([&] { return take_told(idle) > 0; }));
        CHECK(idle.size() >= 9);
        logged_in_client back(proxy);
        CHECK(replica.accepted() == 1);
        REQUIRE(run_until([&] { return take_told(idle) > 0 && idle.size() < 8; }));
        CHECK(stays_quiet(busy, 100ms));
        CHECK(is_answered(busy, 'I', "commit"));
        check_told(busy, "57P01", "another member is there for it");
    }

    TEST_CASE("nobody leaves a member that stands in for others still")
    {
        fake_postgres primary;
        proxy_fixture proxy(quick_listener(listener_role::replica));
        proxy.believe({{.name = "a", .port = primary.port(), .rule = "fallback"}});
        logged_in_client c(proxy);
        REQUIRE(run_until([&] { return proxy.relaying() == 1; }));

        CHECK(stays_quiet(c, 1500ms));
    }
}
