// SPDX-License-Identifier: PostgreSQL
//
// What operators do to sessions: they list and end them, and take members out of service.
#include "tests/support/fake_postgres.hpp"
#include "tests/support/front_fixture.hpp"
#include "tests/support/proxy_fixture.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace rolegate;
using namespace rolegate::support;
using health::operator_state;
using proxy::kill_result;

namespace
{

config::listener_settings with_deadline(std::chrono::milliseconds limit)
{
    auto s = quick_listener();
    s.drain_deadline = limit;
    return s;
}

// As decide() has it: no new sessions, and whose order it is.
believed held_back(const fake_postgres& server, operator_state state)
{
    believed b{"a", server.port(), admission::keep};
    b.order = state;
    return b;
}

void check_told(client& c, const std::string& in_message)
{
    const auto told = c.receive_to_end();
    CHECK(error_field(told, 'C') == "57P01");
    CAPTURE(error_field(told, 'M'));
    CHECK(error_field(told, 'M').find(in_message) != std::string::npos);
    CHECK(c.ended() == ending::fin);
}

bool in_transaction(client& c)
{
    c.send(query("begin"));
    return c.receive(query_answer('T').size()) == query_answer('T');
}

void commit(client& c)
{
    c.send(query("commit"));
    CHECK(c.receive(query_answer('I').size()) == query_answer('I'));
}

} // namespace

TEST_SUITE("session: operators")
{
    TEST_CASE("drain leaves the sessions that are there alone, and holds new clients")
    {
        const fake_postgres server;
        proxy_fixture proxy(with_deadline(std::chrono::milliseconds(0)));
        proxy.believe({{"a", server.port()}});
        logged_in_client there(proxy);

        proxy.believe({held_back(server, operator_state::drain)});
        client comes(proxy.port());
        comes.send(startup());

        CHECK(run_until([&] { return proxy.held() == 1; }));
        CHECK(in_transaction(there));
        proxy.believe({{"a", server.port()}});
        CHECK(comes.receive(login_answer().size()) == login_answer());
    }

    TEST_CASE("maintenance ends idle sessions at once and others with their transactions")
    {
        const fake_postgres server;
        proxy_fixture proxy(with_deadline(scaled(patience)));
        proxy.believe({{"a", server.port()}});
        logged_in_client idle(proxy);
        logged_in_client busy(proxy);
        REQUIRE(in_transaction(busy));

        proxy.believe({held_back(server, operator_state::maint)});

        check_told(idle, "in maintenance");
        CHECK(busy.quiet());
        commit(busy);
        check_told(busy, "in maintenance");
        CHECK(run_until([&] { return proxy.ended("D-") == 2; }));
        CHECK(proxy.stats().members["a"].shut_down["maintenance"] == 2);
    }

    TEST_CASE("whoever does not end in time is ended")
    {
        const fake_postgres server;
        proxy_fixture proxy(with_deadline(std::chrono::milliseconds(1)));
        proxy.believe({{"a", server.port()}});
        logged_in_client busy(proxy);
        REQUIRE(in_transaction(busy));

        proxy.believe({held_back(server, operator_state::maint)});

        check_told(busy, "in maintenance");
    }

    TEST_CASE("a member that is ready again keeps the sessions that have not left")
    {
        const fake_postgres server;
        proxy_fixture proxy(with_deadline(scaled(patience)));
        proxy.believe({{"a", server.port()}});
        logged_in_client idle(proxy);
        logged_in_client busy(proxy);
        REQUIRE(in_transaction(busy));
        proxy.believe({held_back(server, operator_state::maint)});
        check_told(idle, "in maintenance");

        proxy.believe({{"a", server.port()}});
        logged_in_client next(proxy); // the worker has heard of it
        commit(busy);

        CHECK(in_transaction(busy));
        CHECK(proxy.relaying() == 2);
    }

    TEST_CASE("sessions are listed with what is known of them")
    {
        const fake_postgres server;
        auto write = quick_listener();
        write.name = "write";
        write.cluster = "main";
        auto read = quick_listener();
        read.name = "read";
        read.cluster = "main";
        front_fixture proxy({write, read}, 2);
        proxy.believe("main", {{"a", server.port()}});

        client idle(proxy.port(0));
        idle.send(startup());
        REQUIRE(idle.receive(login_answer().size()) == login_answer());
        client busy(proxy.port(1));
        busy.send(startup());
        REQUIRE(busy.receive(login_answer().size()) == login_answer());
        REQUIRE(in_transaction(busy));
        client silent(proxy.port(1));
        REQUIRE(run_until([&] { return proxy.list().total == 3; }));

        const auto all = proxy.list();
        std::set<std::uint64_t> ids;
        for (const auto& row : all.rows)
            ids.insert(row.id);
        CHECK(ids.size() == 3);
        const auto of_write = proxy.list({"write", "", 10});
        REQUIRE(of_write.rows.size() == 1);
        CHECK(of_write.rows[0].listener == "write");
        CHECK(of_write.rows[0].member == "a");
        CHECK(of_write.rows[0].user != "");
        CHECK(of_write.rows[0].database != "");
        CHECK(std::string(of_write.rows[0].state) == "idle");
        CHECK(of_write.rows[0].client.starts_with("127.0.0.1:"));
        CHECK(of_write.rows[0].bytes_out > 0);
        const auto on_a = proxy.list({"read", "a", 10});
        REQUIRE(on_a.rows.size() == 1);
        CHECK(std::string(on_a.rows[0].state) == "in transaction");
        const auto one = proxy.list({"", "", 1});
        CHECK(one.total == 3);
        CHECK(one.rows.size() == 1);
        CHECK(proxy.list({"", "nobody", 10}).total == 0);
        silent.close();
    }

    TEST_CASE("the oldest sessions are listed, whatever they do")
    {
        const fake_postgres server;
        auto write = quick_listener();
        write.name = "write";
        write.cluster = "main";
        front_fixture proxy({write}, 1);
        proxy.believe("main", {{"a", server.port()}});
        client oldest(proxy.port());
        oldest.send(startup());
        REQUIRE(oldest.receive(login_answer().size()) == login_answer());
        client silent(proxy.port());
        REQUIRE(run_until([&] { return proxy.list().total == 2; }));
        client youngest(proxy.port());
        youngest.send(startup());
        REQUIRE(youngest.receive(login_answer().size()) == login_answer());

        const auto states = [&](std::size_t limit)
        {
            std::vector<std::string> out;
            for (const auto& row : proxy.list({"", "", limit}).rows)
                out.emplace_back(row.state);
            return out;
        };
        CHECK(states(1) == std::vector<std::string>{"idle"});
        CHECK(states(2) == std::vector<std::string>{"idle", "handshake"});
        CHECK(states(9) == std::vector<std::string>{"idle", "handshake", "idle"});
        CHECK(proxy.list({"", "", 1}).total == 3);
        CHECK(proxy.list({"", "", 0}).rows.empty());
        silent.close();
    }

    TEST_CASE("a session that is killed is told so in PostgreSQL's words, and no other ends")
    {
        const fake_postgres server;
        auto write = quick_listener();
        write.name = "write";
        write.cluster = "main";
        front_fixture proxy({write}, 2);
        proxy.believe("main", {{"a", server.port()}});
        client first(proxy.port());
        first.send(startup());
        REQUIRE(first.receive(login_answer().size()) == login_answer());
        const auto id = proxy.list().rows.at(0).id;
        client second(proxy.port());
        second.send(startup());
        REQUIRE(second.receive(login_answer().size()) == login_answer());

        CHECK(proxy.kill(id + 1000) == kill_result::unknown);
        CHECK(proxy.kill(id) == kill_result::killed);

        check_told(first, "terminating connection due to administrator command");
        CHECK(in_transaction(second));
        CHECK(run_until([&] { return proxy.stats(0).members["a"].ended["KD"] == 1; }));
        first.close();
        CHECK(run_until([&] { return proxy.kill(id) == kill_result::unknown; })); // it has gone
    }

    TEST_CASE("of one that is ending already it is said so, and why it ends stays")
    {
        const fake_postgres server;
        auto write = quick_listener();
        write.name = "write";
        write.cluster = "main";
        front_fixture proxy({write}, 1);
        proxy.believe("main", {{"a", server.port()}});
        client c(proxy.port());
        c.send(startup());
        REQUIRE(c.receive(login_answer().size()) == login_answer());
        const auto id = proxy.list().rows.at(0).id;

        // Its client is told, and does not go for a while. The worker hears of both in this order.
        proxy.believe("main", {{"a", server.port(), admission::closed}});
        CHECK(proxy.kill(id) == kill_result::ending);
        check_told(c, "");
        CHECK(run_until([&] { return proxy.stats(0).members["a"].ended["D-"] == 1; }));
        CHECK(proxy.stats(0).members["a"].shut_down["killed"] == 0);
    }

    TEST_CASE("one that is held can be killed, and one that has said nothing")
    {
        auto write = quick_listener();
        write.name = "write";
        write.cluster = "main";
        front_fixture proxy({write}, 1);
        proxy.believe("main", {});
        client held(proxy.port());
        held.send(startup());
        REQUIRE(run_until([&] { return proxy.stats(0).held == 1; }));
        client silent(proxy.port());
        REQUIRE(run_until([&] { return proxy.list().total == 2; }));

        for (const auto& row : proxy.list().rows)
            CHECK(proxy.kill(row.id) == kill_result::killed);

        check_told(held, "administrator command");
        CHECK(silent.receive_to_end().empty());
    }
}
