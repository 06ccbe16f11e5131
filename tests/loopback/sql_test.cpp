// SPDX-License-Identifier: PostgreSQL
//
// The members' PostgreSQL asked over libpq, by a monitor: what it says, and what is made of one
// that does not.
#include "tests/support/fake_postgres.hpp"
#include "tests/support/monitor_fixture.hpp"
#include "tests/support/sql_answers.hpp"

#include <algorithm>
#include <doctest/doctest.h>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;
using health::admission;

namespace
{

script primary()
{
    return answering(sql_answer(false) + ready('I'));
}

script standby()
{
    return answering(sql_answer(true) + ready('I'));
}

// Members a, which leads, and b, each with a PostgreSQL.
struct sql_cluster
{
    sql_cluster()
    {
        patroni.place("a", a.port());
        patroni.place("b", b.port());
    }

    [[nodiscard]] config::cluster_settings settings()
    {
        auto s = following({&patroni["a"], &patroni["b"]});
        s.sql.emplace();
        s.sql->user = "rolegate";
        return s;
    }

    fake_cluster patroni{2};
    fake_postgres a{primary()};
    fake_postgres b{standby()};
};

bool says(const running_monitor& monitor, const char* member, bool in_recovery)
{
    return run_until(
        [&]
        {
            const auto m = monitor.member(member);
            return m.sql_error.empty() && m.sql_in_recovery == in_recovery;
        }
    );
}

// Its PostgreSQL has answered. Known at once; a topology is not published for that.
bool answers(const running_monitor& monitor, const char* member)
{
    return run_until(
        [&]
        {
            const auto checks = monitor.seen().checks();
            return std::ranges::any_of(
                checks,
                [&](const health::check& c)
                { return c.member == member && c.error.empty() && std::string(c.source) == "sql"; }
            );
        }
    );
}

bool complains(const running_monitor& monitor, const std::string& words)
{
    return run_until([&] { return monitor.failed("b", words); });
}

} // namespace

TEST_SUITE("sql: the members' own word")
{
    TEST_CASE("a primary and a standby say what they are, on one connection each")
    {
        sql_cluster cluster;
        running_monitor monitor(cluster.settings());

        CHECK(says(monitor, "a", false));
        CHECK(says(monitor, "b", true));
        const auto so_far = cluster.a.received_size();
        CHECK(run_until([&] { return cluster.a.received_size() > so_far + 1000; }));
        CHECK(cluster.a.accepted() == 1);
        CHECK(cluster.b.accepted() == 1);
    }

    TEST_CASE("PostgreSQL speaks for a holder whose Patroni is silent")
    {
        sql_cluster cluster;
        running_monitor monitor(cluster.settings());
        REQUIRE(run_until([&] { return monitor.leads("a"); }));
        REQUIRE(says(monitor, "a", false));

        cluster.patroni["a"].refuse();

        CHECK(run_until([&] { return std::string(monitor.member("a").write.rule) == "degraded"; }));
        CHECK(run_until(
            [&] {
                return monitor.member("a").write.reason.find("says PostgreSQL") !=
                       std::string::npos;
            }
        ));
        CHECK(monitor.leads("a"));
    }

    TEST_CASE("what is no answer is an error in PostgreSQL's words, or ours")
    {
        sql_cluster cluster;
        auto settings = cluster.settings();
        std::string words;
        SUBCASE("an error instead of a row")
        {
            cluster.b.play(answering(fatal("42501", "permission denied") + ready('I')));
            words = "permission denied";
        }
        SUBCASE("a login that is refused")
        {
            cluster.b.play(refusing_startup(fatal("28000", "no pg_hba.conf entry")));
            words = "no pg_hba.conf entry";
        }
        SUBCASE("another kind of row")
        {
            cluster.b.play(answering(message('C', std::string("SELECT 0") + '\0') + ready('I')));
            words = "no answer";
        }
        SUBCASE("a password is asked for, and there is none")
        {
            cluster.b.play(
                [](stream& s)
                {
                    take_startup(s);
                    s.send(message('R', std::string{'\0', '\0', '\0', 3}));
                    s.receive_to_end();
                }
            );
            settings.sql->passfile = "/nonexistent";
            words = "no password supplied";
        }
        SUBCASE("nobody listens")
        {
            cluster.b.refuse();
            words = "Connection refused";
        }
        SUBCASE("it hangs before the login")
        {
            cluster.b.play(silent());
            settings.patroni.timeout = scaled(500ms);
            words = "connect: timed out";
        }
        SUBCASE("it hangs in the middle of the question")
        {
            cluster.b.play(answering({}));
            settings.patroni.timeout = scaled(500ms);
            words = "timed out";
        }
        SUBCASE("it hangs between the answer and its end")
        {
            cluster.b.play(answering(sql_answer(true)));
            settings.patroni.timeout = scaled(500ms);
            words = "timed out";
        }
        running_monitor monitor(settings);

        CHECK(complains(monitor, words));
        CHECK(answers(monitor, "a"));

        cluster.b.interrupt_all();
        cluster.b.listen();
        cluster.b.play(standby());
        cluster.b.interrupt_all();
        CHECK(answers(monitor, "b"));
    }

    TEST_CASE("with the password that is asked for, it is asked")
    {
        sql_cluster cluster;
        cluster.b.play(
            [](stream& s)
            {
                take_startup(s);
                s.send(message('R', std::string{'\0', '\0', '\0', 3}));
                if (s.receive_message() != message('p', std::string("secret") + '\0'))
                    return;
                s.send(login_answer());
                while (s.receive_message().size() > 5)
                    s.send(sql_answer(true) + ready('I'));
            }
        );
        auto settings = cluster.settings();
        settings.sql->password = "secret";
        running_monitor monitor(settings);

        CHECK(answers(monitor, "b"));
    }

    TEST_CASE("the end of an idle connection is noticed at once, and the member looked at")
    {
        sql_cluster cluster;
        auto settings = cluster.settings();
        settings.patroni.interval = 1h;
        running_monitor monitor(settings);
        REQUIRE(run_until([&] { return monitor.leads("a"); }));
        REQUIRE(says(monitor, "a", false));
        const auto words = cluster.patroni["a"].requests("/patroni");

        cluster.a.interrupt_all();

        // "connection lost", or libpq's words when a question was on its way.
        CHECK(run_until([&] { return monitor.failed("a", "connection"); }));
        // A failed question is no surprise, and the next one comes when it is due; but that nobody
        // asked is one.
        if (monitor.failed("a", "connection lost"))
        {
            CHECK(run_until([&] { return cluster.patroni["a"].requests("/patroni") > words; }));
            CHECK(run_until([&] { return cluster.a.accepted() >= 2; })); // a new one
        }
    }

    TEST_CASE("a member that has moved is asked where it is now")
    {
        sql_cluster cluster;
        fake_postgres elsewhere(standby());
        auto settings = cluster.settings();
        settings.patroni.timeout = scaled(5s);
        SUBCASE("while it is idle") {}
        SUBCASE("while it owes an answer")
        {
            cluster.b.play(answering({}));
        }
        running_monitor monitor(settings);
        REQUIRE(run_until([&] { return cluster.b.received_size() > 300; })); // with a question

        cluster.patroni.place("b", elsewhere.port());

        CHECK(run_until([&] { return elsewhere.accepted() == 1 && cluster.b.open() == 0; }));
        CHECK(says(monitor, "b", true));
        CHECK(!monitor.failed("b", ""));
    }

    TEST_CASE("a stopped monitor ends all questions")
    {
        sql_cluster cluster;
        SUBCASE("idle connections") {}
        SUBCASE("a connect that hangs")
        {
            cluster.b.play(silent());
        }
        SUBCASE("a question that hangs")
        {
            cluster.b.play(answering({}));
        }
        auto settings = cluster.settings();
        settings.patroni.timeout = 1h;
        running_monitor monitor(settings);
        REQUIRE(says(monitor, "a", false));
        REQUIRE(run_until([&] { return cluster.b.open() == 1; }));

        monitor.stop();

        CHECK(run_until([&] { return monitor.ended(); }));
        CHECK(run_until([&] { return cluster.a.open() == 0 && cluster.b.open() == 0; }));
    }
}
