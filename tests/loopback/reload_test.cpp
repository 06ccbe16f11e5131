// SPDX-License-Identifier: PostgreSQL
//
// From one set of listeners to the next, while clients are there.
#include "tests/support/front_fixture.hpp"
#include "tests/support/socket_file.hpp"
#include "tests/support/tls_peers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

config::listener_settings named(const std::string& name, const std::string& cluster = "main")
{
    auto l = quick_listener();
    l.name = name;
    l.cluster = cluster;
    return l;
}

bool is_let_in(client& c)
{
    return c.receive(login_answer().size()) == login_answer();
}

struct logged_in : client
{
    explicit logged_in(std::uint16_t port) : client(port)
    {
        send(startup());
        REQUIRE(is_let_in(*this));
    }

    bool works()
    {
        send(query("select 1"));
        return receive(query_answer('I').size()) == query_answer('I');
    }
};

// Nobody of a former configuration is left but who is needed still.
bool states_alive(const std::vector<std::weak_ptr<proxy::listener_state>>& all, std::size_t n)
{
    return run_until(
        [&]
        {
            return std::ranges::count_if(all, [](const auto& s) { return !s.expired(); }) ==
                   static_cast<std::ptrdiff_t>(n);
        }
    );
}

} // namespace

TEST_SUITE("reload: listeners")
{
    TEST_CASE("an unchanged listener is the same one: its socket, its sessions, who waits")
    {
        fake_postgres server;
        front_fixture proxy({named("write"), named("other")});
        proxy.believe("main", {{"a", server.port()}});
        const auto port = proxy.port();
        logged_in session(port);
        const auto before = proxy.front().listeners().front();

        auto next = proxy.settings();
        next.listeners[1].queue.max = 5;
        REQUIRE(proxy.reload(next).empty());

        CHECK(proxy.front().listeners().front() == before);
        CHECK(proxy.front().listeners().back()->settings.queue.max == 5);
        CHECK(proxy.port() == port);
        CHECK(session.works());
        logged_in another(port);
        CHECK(another.works());
    }

    TEST_CASE("new settings hold for new sessions; those that are there keep their own")
    {
        fake_postgres server;
        front_fixture proxy({named("write")});
        proxy.believe("main", {{"a", server.port()}});
        const auto port = proxy.port();
        logged_in old(port);

        auto next = proxy.settings();
        next.listeners[0].timeouts.client = 1ms; // the sweep comes once a second
        REQUIRE(proxy.reload(next).empty());
        logged_in fresh(port);

        CHECK(error_field(fresh.receive_to_end(), 'C') == "57P05");
        CHECK(old.works());
        CHECK(proxy.stats(0).members["a"].ended.size() == 1);
        CHECK(proxy.relaying(0) == 1);
    }

    TEST_CASE("a session is judged by the role it came for, however many reloads ago")
    {
        fake_postgres server;
        front_fixture proxy({named("write")});
        proxy.believe("main", {{"a", server.port()}});
        const auto port = proxy.port();
        logged_in old(port);

        auto next = proxy.settings();
        for (int i = 1; i <= 20; ++i)
        {
            next.listeners[0].role =
                i % 2 == 0 ? config::listener_role::primary : config::listener_role::any;
            next.listeners[0].lag_dwell = std::chrono::milliseconds(i);
            REQUIRE(proxy.reload(next).empty());
            static_cast<void>(proxy.stats(0)); // every worker has answered, and so has adopted it
        }
        CHECK(old.works());
        // Seats of demands that nobody has any more are given away.
        CHECK(proxy.front().demands(0).size() <= 3);

        proxy.believe("main", {{"a", server.port(), admission::closed}});
        CHECK(error_field(old.receive_to_end(), 'C') == "57P01");
        CHECK(run_until([&] { return proxy.stats(0).members["a"].shut_down["role_lost"] == 1; }));
    }

    TEST_CASE("who waits goes on by the new settings, in order, and is not refused")
    {
        fake_postgres server;
        auto full = named("write");
        full.maxconn = 1;
        front_fixture proxy({full});
        proxy.believe("main", {{"a", server.port()}});
        const auto port = proxy.port();
        logged_in inside(port);
        client first(port);
        first.send(startup());
        REQUIRE(run_until([&] { return proxy.stats(0).held == 1; }));
        client second(port);
        second.send(startup());
        REQUIRE(run_until([&] { return proxy.stats(0).held == 2; }));

        auto next = proxy.settings();
        next.listeners[0].maxconn = 2;
        REQUIRE(proxy.reload(next).empty());
        CHECK(is_let_in(first));
        CHECK(proxy.stats(0).held == 1);

        next.listeners[0].maxconn.reset();
        next.listeners[0].cluster = "other";
        next.clusters.push_back(next.clusters.front());
        next.clusters.back().name = "other";
        REQUIRE(proxy.reload(next).empty());
        fake_postgres elsewhere;
        proxy.believe("other", {{"b", elsewhere.port()}});
        CHECK(is_let_in(second));
        CHECK(elsewhere.accepted() == 1);
        CHECK(inside.works());
        CHECK(server.accepted() == 2);
    }

    TEST_CASE("a pause goes on through a reload")
    {
        fake_postgres server;
        front_fixture proxy({named("write")});
        proxy.believe("main", {{"a", server.port()}});
        REQUIRE(proxy.front().pause("write", true));
        client c(proxy.port());
        c.send(startup());
        REQUIRE(run_until([&] { return proxy.stats(0).held == 1; }));

        auto next = proxy.settings();
        next.listeners[0].queue.max = 7;
        REQUIRE(proxy.reload(next).empty());
        CHECK(proxy.front().listeners()[0]->door.paused());
        REQUIRE(proxy.front().pause("write", false));
        CHECK(is_let_in(c));
    }

    TEST_CASE("a listener that is removed takes nobody; its sessions end when they are idle")
    {
        fake_postgres server;
        front_fixture proxy({named("write"), named("gone")});
        proxy.believe("main", {{"a", server.port()}});
        const auto port = proxy.port(1);
        logged_in idle(port);
        logged_in busy(port);
        busy.send(query("begin"));
        REQUIRE(busy.receive(query_answer('T').size()) == query_answer('T'));
        logged_in stays(proxy.port(0));

        auto next = proxy.settings();
        next.listeners.pop_back();
        REQUIRE(proxy.reload(next).empty());

        CHECK(error_field(idle.receive_to_end(), 'C') == "57P01");
        busy.send(query("commit"));
        CHECK(busy.receive(query_answer('I').size()) == query_answer('I'));
        CHECK(error_field(busy.receive_to_end(), 'C') == "57P01");
        CHECK(run_until([port] { return connect_error(port) == ECONNREFUSED; }));
        CHECK(stays.works());
    }

    TEST_CASE("a socket that somebody else has too: removed it refuses, left to others it does not")
    {
        front_fixture proxy({named("write"), named("gone")});
        std::vector<proxy::unique_fd> others;
        for (const auto& s : proxy.front().sockets())
            others.emplace_back(::dup(s.fd));
        const auto stays = proxy.port(0);
        const auto gone = proxy.port(1);
        auto next = proxy.settings();
        next.listeners.pop_back();
        REQUIRE(proxy.reload(next).empty());
        CHECK(run_until([gone] { return connect_error(gone) == ECONNREFUSED; }));

        proxy.front().leave_to_others();
        static_cast<void>(proxy.stats(0)); // each worker has done so
        CHECK(connect_error(stays) == 0);
    }

    TEST_CASE("sessions of a listener that is removed lose their member with its role")
    {
        fake_postgres server;
        front_fixture proxy({named("write"), named("gone")});
        proxy.believe("main", {{"a", server.port()}});
        logged_in busy(proxy.port(1));
        busy.send(query("begin"));
        REQUIRE(busy.receive(query_answer('T').size()) == query_answer('T'));
        auto next = proxy.settings();
        next.listeners.pop_back();
        REQUIRE(proxy.reload(next).empty());
        CHECK(proxy.front().demands(0).size() == 2); // the monitor still answers for it

        proxy.believe("main", {{"a", server.port(), admission::closed}});
        const auto told = busy.receive_to_end();
        CHECK(error_field(told, 'M').find("no longer the primary") != std::string::npos);
    }

    TEST_CASE("who waits at a listener that is removed is sent to the next host")
    {
        front_fixture proxy({named("write"), named("gone")});
        client c(proxy.port(1));
        c.send(startup());
        REQUIRE(run_until([&] { return proxy.stats(1).held == 1; }));
        auto next = proxy.settings();
        next.listeners.pop_back();
        REQUIRE(proxy.reload(next).empty());
        CHECK(error_field(c.receive_to_end(), 'C') == "57P03");
    }

    TEST_CASE("a bind may be added, removed, or belong to another listener; the socket stays")
    {
        fake_postgres server;
        auto settings = named("write");
        settings.bind = {{"127.0.0.1", free_port()}};
        front_fixture proxy({settings});
        proxy.believe("main", {{"a", server.port()}});
        const auto port = settings.bind.front().port;
        logged_in old(port);

        auto next = proxy.settings();
        const auto second = free_port();
        next.listeners[0].bind.push_back({"127.0.0.1", second});
        REQUIRE(proxy.reload(next).empty());
        logged_in added(second);
        CHECK(proxy.front().bound(0).size() == 2);

        next.listeners[0].bind.pop_back();
        next.listeners[0].name = "renamed";
        REQUIRE(proxy.reload(next).empty());
        CHECK(run_until([second] { return connect_error(second) == ECONNREFUSED; }));
        logged_in fresh(port);
        CHECK(fresh.works());
        CHECK(error_field(old.receive_to_end(), 'C') == "57P01"); // "write" is no more
    }

    TEST_CASE("a bind that is taken, or a certificate that is missing: nothing changes")
    {
        fake_postgres server;
        fake_postgres taken;
        front_fixture proxy({named("write"), named("other")});
        proxy.believe("main", {{"a", server.port()}});
        const auto port = proxy.port();
        logged_in session(port);
        const auto before = proxy.front().listeners();
        const auto descriptors = open_descriptors();

        auto next = proxy.settings();
        next.listeners[0].balance = config::balance_algorithm::leastconn;
        next.listeners[0].bind.push_back({"127.0.0.1", free_port()});
        next.listeners[0].bind.push_back({"127.0.0.1", taken.port()});
        next.listeners[1].tls.mode = config::tls_mode::terminate;
        next.listeners[1].tls.cert = "/nonexistent.crt";
        next.listeners[1].tls.key = "/nonexistent.key";
        const auto problems = proxy.reload(next);

        REQUIRE(problems.size() == 2);
        CHECK(problems[0].find("listener 'write' cannot listen on 127.0.0.1:") == 0);
        CHECK(problems[0].find("Address already in use") != std::string::npos);
        CHECK(problems[1].find("/nonexistent.crt") != std::string::npos);
        CHECK(proxy.front().listeners() == before);
        CHECK(open_descriptors() == descriptors);
        CHECK(session.works());
        logged_in another(port);
        CHECK(another.works());
    }

    TEST_CASE("certificates are read again; sessions inside TLS go on")
    {
        fake_postgres server;
        auto tls = tls_listener();
        front_fixture proxy({tls});
        proxy.believe("main", {{"a", server.port()}});
        client old(proxy.port());
        REQUIRE(ask_for_tls(old));
        old.send(startup());
        REQUIRE(is_let_in(old));
        const std::weak_ptr<proxy::listener_state> before = proxy.front().listeners().front();

        REQUIRE(proxy.reload(proxy.settings()).empty());
        CHECK(proxy.front().listeners().front() != before.lock());
        old.send(query("select 1"));
        CHECK(old.receive(query_answer('I').size()) == query_answer('I'));
        client fresh(proxy.port());
        REQUIRE(ask_for_tls(fresh));
        fresh.send(startup());
        CHECK(is_let_in(fresh));
        old.close();
        CHECK(run_until([&] { return before.expired(); }));
    }

    TEST_CASE("a hundred reloads leave nothing behind")
    {
        fake_postgres server;
        front_fixture proxy({named("write"), named("other")});
        proxy.believe("main", {{"a", server.port()}});
        const auto port = proxy.port();
        logged_in session(port);
        std::vector<std::weak_ptr<proxy::listener_state>> all;
        const auto descriptors = open_descriptors();

        auto next = proxy.settings();
        for (int i = 0; i < 100; ++i)
        {
            next.listeners[0].queue.max = 100 + static_cast<std::size_t>(i);
            next.listeners[1].name = "other-" + std::to_string(i);
            REQUIRE(proxy.reload(next).empty());
            for (const auto& l : proxy.front().listeners())
                all.push_back(l);
        }
        CHECK(session.works());
        CHECK(states_alive(all, 2)); // the present ones
        CHECK(run_until([&] { return open_descriptors() == descriptors; }));
    }

    TEST_CASE("after a thousand reloads and a burst of sessions there is what there was before")
    {
        fake_postgres server;
        front_fixture proxy({named("write"), named("other")});
        proxy.believe("main", {{"a", server.port()}});
        const auto port = proxy.port();
        auto next = proxy.settings();
        std::vector<std::weak_ptr<proxy::listener_state>> all;
        {
            std::vector<std::unique_ptr<logged_in>> sessions;
            for (int i = 0; i < 1000; ++i)
            {
                next.listeners[0].lag_dwell = std::chrono::milliseconds(i);
                REQUIRE(proxy.reload(next).empty());
                for (const auto& l : proxy.front().listeners())
                    all.push_back(l);
                if (i % 10 == 0) // each by settings of its own
                    sessions.push_back(std::make_unique<logged_in>(port));
            }
            CHECK(proxy.front().demands(0).size() >= sessions.size());
        }
        // Sessions end, and their settings with them. "other" has been the same one all the time.
        REQUIRE(run_until(
            [&] {
                return std::ranges::count_if(all, [](const auto& s) { return !s.expired(); }) ==
                       1000 + 1;
            }
        ));
        // The next one takes a place that has become free, and those behind it go.
        next.listeners[0].lag_dwell = 1h;
        REQUIRE(proxy.reload(next).empty());
        const auto places = [&]
        {
            proxy.front().tidy();
            return proxy.front().demands(0).size();
        };
        CHECK(run_until([&] { return places() <= 4; }));
        logged_in another(port);
        CHECK(another.works());
    }

    TEST_CASE("members of another cluster with the same names have places of their own")
    {
        fake_postgres server;
        fake_postgres elsewhere;
        front_fixture proxy({named("write")});
        proxy.believe("main", {{"a", server.port()}});
        auto next = proxy.settings();
        next.clusters[0].default_member.maxconn = 1;
        REQUIRE(proxy.reload(next).empty());
        const auto port = proxy.port();
        logged_in inside(port);

        next.clusters.push_back(next.clusters.front());
        next.clusters.back().name = "other";
        next.listeners[0].cluster = "other";
        REQUIRE(proxy.reload(next).empty());
        proxy.believe("other", {{"a", elsewhere.port()}});
        logged_in fresh(port);
        CHECK(elsewhere.accepted() == 1);
        CHECK(inside.works());
        client waits(port);
        waits.send(startup());
        CHECK(run_until([&] { return proxy.stats(0).held == 1; }));
    }

    TEST_CASE("clients come and go through reload after reload")
    {
        fake_postgres server;
        front_fixture proxy({named("write")});
        proxy.believe("main", {{"a", server.port()}});
        const auto port = proxy.port();
        std::atomic<bool> done{false};
        std::size_t failed = 0;
        std::size_t served = 0;
        std::thread clients(
            [&]
            {
                while (!done)
                {
                    try
                    {
                        client c(port);
                        c.send(startup());
                        ++(is_let_in(c) ? served : failed);
                    }
                    catch (const std::system_error&) // refused
                    {
                        ++failed;
                    }
                }
            }
        );
        auto next = proxy.settings();
        for (int i = 0; i < 50; ++i)
        {
            next.listeners[0].role =
                i % 2 == 0 ? config::listener_role::any : config::listener_role::primary;
            next.listeners[0].queue.max = 500 + static_cast<std::size_t>(i);
            CHECK(proxy.reload(next).empty());
            static_cast<void>(proxy.relaying(0));
        }
        done = true;
        clients.join();
        CHECK(failed == 0);
        CHECK(served > 0);
    }
}
