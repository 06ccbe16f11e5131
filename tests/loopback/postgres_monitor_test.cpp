// SPDX-License-Identifier: PostgreSQL
//
// A replication without Patroni, followed by asking scripted servers.
#include "tests/support/fake_postgres.hpp"
#include "tests/support/monitor_fixture.hpp"
#include "tests/support/sql_answers.hpp"

#include <atomic>
#include <doctest/doctest.h>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

// What it says changes from one answer to the next, on the same connection.
class fake_member
{
public:
    explicit fake_member(bool standby) : standby_(standby), server_([this](stream& s) { serve(s); })
    {
    }

    void promote(int timeline)
    {
        timeline_ = timeline;
        standby_ = false;
    }

    [[nodiscard]] fake_postgres& server() { return server_; }
    [[nodiscard]] std::uint16_t port() const { return server_.port(); }
    [[nodiscard]] std::string name() const { return "127.0.0.1:" + std::to_string(port()); }

private:
    void serve(stream& s)
    {
        if (take_startup(s).empty())
            return;
        s.send(login_answer());
        for (auto m = s.receive_message(); !m.empty() && m != terminate(); m = s.receive_message())
            s.send(sql_answer(standby_, timeline_) + ready('I'));
    }

    std::atomic<int> timeline_{1};
    std::atomic<bool> standby_;
    fake_postgres server_; // the last: its threads use the others
};

struct replication
{
    [[nodiscard]] config::cluster_settings settings() const
    {
        config::cluster_settings s;
        s.name = "plain";
        auto& p = s.postgres.emplace();
        p.members = {{"127.0.0.1", a.port()}, {"127.0.0.1", b.port()}};
        p.sql.user = "rolegate";
        p.interval = 60ms;
        p.timeout = scaled(2000ms);
        return s;
    }

    fake_member a{false};
    fake_member b{true};
};

std::string write_rule(const running_monitor& monitor, const fake_member& m)
{
    return monitor.member(m.name()).write.rule;
}

bool reads_from(const running_monitor& monitor, const fake_member& m)
{
    return monitor.member(m.name()).read.verdict == health::admission::open;
}

} // namespace

TEST_SUITE("postgres: replication without Patroni")
{
    TEST_CASE("the primary and the standby are found, on one connection each")
    {
        replication r;
        running_monitor monitor(r.settings());
        CHECK(run_until([&] { return monitor.leads(r.a.name()) && reads_from(monitor, r.b); }));
        CHECK(r.a.server().accepted() == 1);
        CHECK(r.b.server().accepted() == 1);
        const auto t = monitor.seen().latest();
        CHECK(t->kind == health::cluster_kind::postgres);
        CHECK(t->find(r.a.name())->address == "127.0.0.1");
        CHECK(t->find(r.b.name())->timeline == 1);
        CHECK(t->find(r.b.name())->lag_bytes == 0);
        CHECK((t->find(r.b.name())->lag_time == 0ms)); // though what it replayed last is older
    }

    TEST_CASE("the promoted one takes the writes, the old one is fenced")
    {
        replication r;
        running_monitor monitor(r.settings());
        REQUIRE(run_until([&] { return monitor.leads(r.a.name()); }));
        r.b.promote(2);
        CHECK(run_until([&] { return monitor.leads(r.b.name()); }));
        CHECK(write_rule(monitor, r.a) == "old-timeline");
        CHECK(monitor.seen().most_writers() == 1);
        CHECK(!monitor.seen().generation_shrank());
    }

    TEST_CASE("a primary that is killed keeps its sessions, reads go on, and it comes back")
    {
        replication r;
        running_monitor monitor(r.settings());
        REQUIRE(run_until([&] { return monitor.leads(r.a.name()) && reads_from(monitor, r.b); }));
        r.a.server().refuse();
        r.a.server().interrupt_all();
        CHECK(run_until([&] { return write_rule(monitor, r.a) == "writer-silent"; }));
        CHECK(reads_from(monitor, r.b));
        CHECK(monitor.failed(r.a.name(), ""));
        r.a.server().listen();
        CHECK(run_until([&] { return monitor.leads(r.a.name()); }));
    }

    TEST_CASE("nobody is opened before the other one has answered or failed")
    {
        replication r;
        r.b.server().ignore();
        auto settings = r.settings();
        settings.postgres->timeout = scaled(400ms);
        settings.postgres->fall = 3;
        running_monitor monitor(settings);
        CHECK(run_until([&] { return write_rule(monitor, r.a) == "others-unheard"; }));
        CHECK(!monitor.seen().latest()->confirmed);
        CHECK(run_until([&] { return monitor.leads(r.a.name()); }));
        CHECK(monitor.failed(r.b.name(), "timed out"));
    }

    TEST_CASE("a name without an address is a failure, too")
    {
        replication r;
        auto settings = r.settings();
        settings.postgres->members.push_back({"nobody.invalid", 5432});
        settings.postgres->timeout = scaled(300ms);
        running_monitor monitor(settings);
        CHECK(run_until([&] { return monitor.leads(r.a.name()); }));
        CHECK(monitor.failed("nobody.invalid:5432", "has no address"));
        CHECK(monitor.member("nobody.invalid:5432").write.rule == std::string("silent"));
    }

    TEST_CASE("a hint makes everybody be asked at once")
    {
        replication r;
        auto settings = r.settings();
        settings.postgres->interval = 1h;
        running_monitor monitor(settings);
        REQUIRE(run_until([&] { return monitor.leads(r.a.name()); }));
        r.b.promote(2);
        SUBCASE("a session has ended")
        {
            monitor.hint(r.a.name(), health::life_sign::ended);
        }
        SUBCASE("a client was refused")
        {
            monitor.hint(r.a.name(), health::life_sign::refused);
        }
        CHECK(run_until([&] { return monitor.leads(r.b.name()); }));
    }

    TEST_CASE("ages are published while nothing changes")
    {
        replication r;
        running_monitor monitor(r.settings());
        REQUIRE(run_until([&] { return monitor.leads(r.a.name()); }));
        const auto t = monitor.seen().latest();
        CHECK(run_until([&] { return monitor.seen().latest()->confirmed > t->confirmed; }));
    }

    TEST_CASE("a stopped monitor ends all questions")
    {
        replication r;
        running_monitor monitor(r.settings());
        REQUIRE(run_until([&] { return monitor.leads(r.a.name()); }));
        monitor.stop();
        CHECK(run_until([&] { return monitor.ended(); }));
        CHECK(run_until([&] { return r.a.server().open() == 0 && r.b.server().open() == 0; }));
    }
}
