// SPDX-License-Identifier: PostgreSQL
//
// Who is the primary of a plain streaming replication, step by step: every step states only what
// differs.
#include "health/postgres/decide.hpp"

#include <algorithm>
#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace rolegate::health::postgres;
using namespace std::chrono_literals;

namespace
{

using rolegate::health::postgres::evidence; // not the one of Patroni's clusters

constexpr time_point story_begins{1000h};
const std::string our_system = "7000000000000000001";
const std::string other_system = "7000000000000000002";

std::string text_of(const grant& g)
{
    return std::string(to_string(g.verdict)) + " " + g.rule;
}

// Members a, b, ... that answer as they are told.
class story
{
public:
    explicit story(std::initializer_list<const char*> names = {"a", "b"})
    {
        rules.cluster = "plain";
        for (const std::string name : names)
        {
            testimony t;
            t.name = name;
            t.host = name + ".example";
            t.port = 5432;
            seen.addresses[t.host] = {"10.0.0." + std::to_string(seen.members.size() + 1)};
            seen.members.push_back(std::move(t));
        }
    }

    story& after(clock::duration d)
    {
        now += d;
        return *this;
    }

    story& primary(const std::string& name, std::uint32_t timeline, std::int64_t lsn = 1000)
    {
        return says(name, {false, timeline, lsn, our_system, std::nullopt});
    }

    story& standby(const std::string& name, std::uint32_t timeline, std::int64_t lsn = 1000)
    {
        return says(name, {true, std::nullopt, lsn, our_system, timeline});
    }

    story& says(const std::string& name, const sql_word& word)
    {
        sql_report r;
        r.word = word;
        r.asked = now - 1ms;
        r.seen = now;
        member(name).take(r, limits, now);
        return *this;
    }

    story& fails(const std::string& name, int times = 1)
    {
        for (; times > 0; --times)
        {
            auto r = member(name).said;
            r.error = "Connection refused";
            member(name).take(r, limits, now);
        }
        return *this;
    }

    story& decide()
    {
        believed = postgres::decide(seen, rules, believed, now);
        return *this;
    }

    // Goes on for longer than a handover takes.
    story& settle() { return decide().after(handover).decide(); }

    [[nodiscard]] testimony& member(const std::string& name)
    {
        return *std::ranges::find(seen.members, name, &testimony::name);
    }

    [[nodiscard]] std::string write(const std::string& name) const
    {
        return text_of(believed.find(name)->write);
    }

    [[nodiscard]] std::string read(const std::string& name) const
    {
        return text_of(believed.find(name)->read);
    }

    [[nodiscard]] std::string reason(const std::string& name) const
    {
        return believed.find(name)->write.reason;
    }

    // a is the primary on timeline 1, every other member a standby.
    story& healthy()
    {
        primary("a", 1);
        for (const auto& m : seen.members)
            if (m.name != "a")
                standby(m.name, 1);
        return settle();
    }

    evidence seen;
    policy rules;
    counts limits;
    topology believed;
    time_point now = story_begins;
};

} // namespace

TEST_SUITE_BEGIN("health/postgres/decide");

TEST_CASE("the one primary is open for writes, the standbys for reads")
{
    story s({"a", "b", "c"});
    s.healthy();

    CHECK(s.write("a") == "open only-primary");
    CHECK(s.read("a") == "closed is-primary");
    CHECK(s.write("b") == "closed in-recovery");
    CHECK(s.read("b") == "open standby");
    CHECK(s.read("c") == "open standby");
    CHECK(s.believed.kind == cluster_kind::postgres);
    CHECK(s.believed.highest_timeline == 1);
    CHECK(s.believed.system_identifier == our_system);
    CHECK(s.believed.find("b")->state_text == "running");
    CHECK(s.believed.find("b")->timeline == 1);
}

TEST_CASE("nobody is opened before every member has answered or failed often enough")
{
    story s({"a", "b", "c"});
    s.primary("a", 1).settle();
    CHECK(s.write("a") == "keep others-unheard");
    CHECK(s.reason("a").find("b, c must have answered") != std::string::npos);
    CHECK(!s.believed.confirmed);

    s.standby("b", 1).fails("c").settle();
    CHECK(s.write("a") == "keep others-unheard");
    CHECK(s.read("b") == "keep others-unheard");

    SUBCASE("the last one is a standby")
    {
        s.standby("c", 1).settle();
        CHECK(s.write("a") == "open only-primary");
        CHECK(s.read("b") == "open standby");
    }
    SUBCASE("the last one fails")
    {
        s.fails("c").settle();
        CHECK(s.write("a") == "open only-primary");
        CHECK(s.read("c") == "keep silent");
    }
    SUBCASE("the last one was promoted")
    {
        s.primary("c", 2).settle();
        CHECK(s.write("a") == "closed old-timeline");
        CHECK(s.reason("a").find("c was promoted to timeline 2") != std::string::npos);
        CHECK(s.write("c") == "open only-primary");
    }
}

TEST_CASE("of two primaries the one on the higher timeline wins, after the other was closed")
{
    story s;
    s.healthy().after(1s).primary("b", 2).decide();

    CHECK(s.write("a") == "closed old-timeline");
    CHECK(s.write("b") == "keep handover");
    CHECK(s.read("b") == "closed is-primary");

    s.after(handover - 1ms).decide();
    CHECK(s.write("b") == "keep handover");
    s.after(1ms).decide();
    CHECK(s.write("b") == "open only-primary");
    CHECK(s.write("a") == "closed old-timeline");

    SUBCASE("the winner falls silent: the old one is not opened again")
    {
        s.fails("b", 2).settle();
        CHECK(s.write("b") == "keep writer-silent");
        s.primary("a", 1).settle();
        CHECK(s.write("a") == "closed old-timeline");
    }
    SUBCASE("the old one comes back as a standby")
    {
        s.standby("a", 2).settle();
        CHECK(s.write("a") == "closed in-recovery");
        CHECK(s.read("a") == "open standby");
    }
}

TEST_CASE("two primaries on one timeline: nobody")
{
    story s({"a", "b", "c"});
    s.healthy().primary("b", 1).settle();

    CHECK(s.write("a") == "closed same-timeline");
    CHECK(s.write("b") == "closed same-timeline");
    CHECK(s.read("c") == "open standby");
    CHECK(s.reason("b").find("like a, without a promotion") != std::string::npos);

    SUBCASE("the new one goes: the writer is the writer again")
    {
        s.fails("b", 2).settle();
        CHECK(s.write("a") == "open only-primary");
    }
    SUBCASE("the writer goes: the new one is not trusted all the same")
    {
        s.fails("a", 2).settle();
        CHECK(s.write("b") == "closed same-timeline");
        CHECK(s.write("a") == "keep writer-silent");
        s.standby("a", 1).settle(); // unless that is no primary any more
        CHECK(s.write("b") == "open only-primary");
    }
    SUBCASE("one of them is promoted")
    {
        s.primary("b", 2).settle();
        CHECK(s.write("b") == "open only-primary");
        CHECK(s.write("a") == "closed old-timeline");
    }
}

TEST_CASE("other systems")
{
    story s({"a", "b", "c"});
    SUBCASE("two primaries of different ones at the start: nobody, and why")
    {
        s.primary("a", 1).standby("c", 1).says("b", {false, 9, 1, other_system, {}}).settle();
        CHECK(s.write("a") == "closed systems-differ");
        CHECK(s.write("b") == "closed systems-differ");
        CHECK(s.read("c") == "keep systems-differ");
        CHECK(s.believed.highest_timeline == 0);
    }
    SUBCASE("a primary of another one than the first writer's, whatever its timeline")
    {
        s.healthy().says("b", {false, 9, 1, other_system, {}}).settle();
        CHECK(s.write("b") == "closed other-system");
        CHECK(s.read("b") == "closed other-system");
        CHECK(s.write("a") == "open only-primary");
        CHECK(s.believed.highest_timeline == 1);
    }
    SUBCASE("a standby of another one")
    {
        s.healthy().says("b", {true, {}, 1, other_system, 1}).settle();
        CHECK(s.read("b") == "closed other-system");
        CHECK(!s.believed.find("b")->lag_bytes);
    }
}

TEST_CASE("a silent writer keeps its sessions until somebody is promoted")
{
    story s;
    s.healthy().fails("a").decide();
    CHECK(s.write("a") == "open degraded");
    s.fails("a").settle();
    CHECK(s.write("a") == "keep writer-silent");
    CHECK(s.reason("a").find("Connection refused") != std::string::npos);
    CHECK(s.read("b") == "open standby");
    CHECK(s.believed.find("a")->state_text == "silent");

    SUBCASE("it comes back")
    {
        s.after(1s).primary("a", 1).decide();
        CHECK(s.write("a") == "open only-primary");
    }
    SUBCASE("another one is promoted")
    {
        s.primary("b", 2).decide();
        CHECK(s.write("a") == "closed silent");
        CHECK(s.write("b") == "keep handover");
        s.after(handover).decide();
        CHECK(s.write("b") == "open only-primary");

        s.after(1s).primary("a", 1).decide(); // fenced at once
        CHECK(s.write("a") == "closed old-timeline");
        CHECK(s.write("b") == "open only-primary");
    }
    SUBCASE("another one is a primary without a promotion")
    {
        s.primary("b", 1).settle();
        CHECK(s.write("b") == "closed same-timeline");
        CHECK(s.write("a") == "keep writer-silent");
    }
    SUBCASE("it has moved, and has not been heard there")
    {
        s.member("a").forget();
        s.primary("b", 1).settle();
        CHECK(s.write("a") == "closed unheard");
        CHECK(s.write("b") == "closed same-timeline");
    }
    SUBCASE("it comes back as a standby of its own")
    {
        s.standby("a", 1).settle();
        CHECK(s.write("a") == "closed in-recovery");
        CHECK(s.believed.last_writer.empty());
    }
}

TEST_CASE("rise and fall")
{
    story s;
    s.limits = {3, 2};
    s.rules.rise = 3;
    s.healthy();
    CHECK(s.write("a") == "open only-primary"); // the first answers need no repetition
    s.fails("a", 2).fails("b", 2).settle();
    CHECK(s.write("a") == "keep writer-silent");
    CHECK(s.read("b") == "keep silent");

    s.after(1s).primary("a", 1).standby("b", 1).settle();
    CHECK(s.write("a") == "keep rise");
    CHECK(s.read("b") == "keep rise");
    CHECK(s.reason("a").find("1 times of 3") != std::string::npos);
    s.primary("a", 1).fails("a").primary("a", 1).primary("a", 1).settle();
    CHECK(s.write("a") == "keep rise");
    s.primary("a", 1).standby("b", 1).standby("b", 1).settle();
    CHECK(s.write("a") == "open only-primary");
    CHECK(s.read("b") == "open standby");

    // What speaks against a primary counts at once.
    s.fails("b", 2).settle().primary("b", 2).settle();
    CHECK(s.write("a") == "closed old-timeline");
    CHECK(s.write("b") == "closed rise");
}

TEST_CASE("after a silence of all, nobody is opened before the others have been tried again")
{
    story s;
    s.healthy().fails("a", 2).fails("b", 2).settle();
    s.after(1s).primary("a", 1).settle();
    CHECK(s.write("a") == "keep others-unheard");

    SUBCASE("the other one fails again")
    {
        s.fails("b").settle();
        CHECK(s.write("a") == "open only-primary");
    }
    SUBCASE("the other one has been promoted meanwhile")
    {
        s.primary("b", 2).settle();
        CHECK(s.write("a") == "closed old-timeline");
        CHECK(s.write("b") == "open only-primary");
    }
}

TEST_CASE("a primary that has refused clients waits for a newer word")
{
    story s;
    s.healthy().after(1s);
    s.member("a").refusals.refused(s.now);
    s.decide();
    CHECK(s.write("a") == "keep refuses");
    s.after(10ms).primary("a", 1).decide();
    CHECK(s.write("a") == "open only-primary");
}

TEST_CASE("lag is what the writer has written and a standby has not replayed")
{
    story s({"a", "b", "c"});
    s.healthy().primary("a", 1, 5000).standby("b", 1, 4000).standby("c", 1, 5100).settle();
    CHECK(s.believed.find("b")->lag_bytes == 1000);
    CHECK(s.believed.find("c")->lag_bytes == 0);
    CHECK(!s.believed.find("a")->lag_bytes);

    SUBCASE("unknown is not zero: a standby that does not say")
    {
        s.says("b", {true, {}, {}, our_system, 1}).settle();
        CHECK(!s.believed.find("b")->lag_bytes);
    }
    SUBCASE("unknown is not zero: a silent writer")
    {
        s.fails("a", 2).settle();
        CHECK(!s.believed.find("b")->lag_bytes);
        CHECK(s.read("b") == "open standby");
    }
}

TEST_CASE("a standby is as late as what it replayed last, and no later than since it was up to date"
)
{
    story s({"a", "b"});
    const auto replays = [&](std::int64_t lsn, std::int64_t received, std::chrono::seconds age) {
        s.says("b", {true, {}, lsn, our_system, 1, received, age}).decide();
    };
    const auto lag_time = [&] { return s.believed.find("b")->lag_time; };
    s.primary("a", 1, 5000).standby("b", 1, 5000).settle();

    SUBCASE("after an hour of silence it is where the primary is, and then two seconds late")
    {
        replays(5000, 5000, 3600s);
        CHECK((lag_time() == 0ms));
        s.after(1s).primary("a", 1, 9000);
        replays(5000, 7000, 3601s);
        CHECK((lag_time() == 1s));
        s.after(1s).primary("a", 1, 9500);
        replays(5000, 9000, 3602s);
        CHECK((lag_time() == 2s));
    }
    SUBCASE("a busy primary is held against the standby as it was when that was asked")
    {
        s.after(1s);
        s.primary("a", 1, 6000);
        s.after(1s);
        replays(6000, 6000, 3s);
        s.after(1s).primary("a", 1, 9000).decide();
        CHECK(s.believed.find("b")->lag_bytes == 0);
        CHECK((lag_time() == 0ms));
    }
    SUBCASE("all it has received is replayed, but it is behind: it waits for WAL in vain")
    {
        s.after(1s).primary("a", 1, 9000);
        replays(5000, 5000, 7s);
        CHECK((lag_time() == 7s));
    }
    SUBCASE("of one that does not say it, or beside a silent primary, nothing is known")
    {
        s.says("b", {true, {}, {}, our_system, 1}).settle();
        CHECK(!lag_time());
        replays(5000, 5000, 1s);
        s.fails("a", 2).settle();
        CHECK(!lag_time());
    }
}

TEST_CASE("a standby gets time to follow a new primary, and one that comes in gets none")
{
    story s({"a", "b", "c"});
    s.healthy().primary("b", 2).settle();
    CHECK(s.read("c") == "open standby");
    s.after(31s).standby("c", 1).settle();
    CHECK(s.read("c") == "keep old-timeline");
    s.standby("c", 2).settle();
    CHECK(s.read("c") == "open standby");
    s.standby("a", 1).settle();
    CHECK(s.read("a") == "keep old-timeline");
}

TEST_CASE("the view is confirmed by whoever answers, and else gets stale")
{
    story s;
    s.healthy();
    const auto first = s.believed.confirmed;
    s.after(1s).fails("a", 2).standby("b", 1).settle();
    CHECK(s.believed.confirmed > first);
    const auto last = s.believed.confirmed;
    s.after(1s).fails("b", 2).settle();
    CHECK(s.believed.confirmed == last);
    CHECK(s.believed.stale_after == 10s);
    CHECK(s.believed.stale(*last + 10001ms));
    s.rules.stale_after = 3s;
    s.rules.end_when_stale = true;
    s.decide();
    CHECK(s.believed.stale_after == 3s);
    CHECK(s.believed.end_when_stale);
    s.rules.stale_after.reset();
    s.rules.fresh_for = 30s;
    CHECK(s.decide().believed.stale_after == 30s);
}

TEST_CASE("a member without an address gets nobody")
{
    story s;
    s.healthy();
    s.seen.addresses.erase("b.example");
    s.believed.members[1].address.clear();
    s.decide();
    CHECK(s.read("b") == "keep no-address");
}

TEST_CASE("an operator's order keeps new sessions away, and is no verdict on the member")
{
    story s;
    s.rules.demands = {{"read", {}}};
    s.rules.demands[0].wants.role = rolegate::config::listener_role::replica;
    s.healthy();
    const auto read = [&s] { return text_of(s.believed.find("b")->grants[0]); };
    REQUIRE(read() == "open standby");
    s.rules.orders["b"] = {operator_state::drain, "drained by dba"};
    s.decide();
    CHECK(read() == "keep operator");
    CHECK(s.read("b") == "open standby");
    s.rules.orders.clear();
    s.decide();
    CHECK(read() == "open standby");
}

TEST_CASE("the generation grows with the belief, and its cause is told without a lock")
{
    story s;
    s.healthy();
    const auto generation = s.believed.generation;
    s.after(1s).primary("a", 1, 9000).standby("b", 1, 8000).decide();
    CHECK(s.believed.generation == generation);
    s.primary("b", 2).decide();
    CHECK(s.believed.generation == generation + 1);
    CHECK(
        s.believed.cause.find("a closed for writes: is a primary on timeline 1, but b was "
                              "promoted to timeline 2") == 0
    );
    CHECK(s.believed.cause.find("lock") == std::string::npos);
}

TEST_SUITE_END();
