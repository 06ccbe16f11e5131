// SPDX-License-Identifier: PostgreSQL
//
// What a client gets when openness, places, refusals, silence and `balance` come together.
#include "proxy/selection.hpp"

#include "tests/support/topology_builder.hpp"

#include <doctest/doctest.h>

#include <list>
#include <utility>

using namespace rolegate::proxy;
using rolegate::config::balance_algorithm;
using rolegate::health::admission;
using rolegate::health::topology;
using rolegate::support::read_port;
using rolegate::support::topology_builder;
using namespace std::chrono_literals;

namespace
{

// A read listener and three replicas, "a", "b" and "c".
struct world
{
    explicit world(
        balance_algorithm algorithm = balance_algorithm::roundrobin,
        rolegate::config::cluster_settings settings = {}
    )
        : cluster(std::move(settings)), members(read_port, algorithm, cluster),
          door({100, {}}, [](std::size_t, ticket) {})
    {
        now = *believed.confirmed;
        for (auto& m : believed.members)
            m.word_seen = now;
        members.adopt(believed, now);
    }

    void open(std::size_t member, admission verdict)
    {
        believed.members[member].grants[read_port.index].verdict = verdict;
        ++believed.generation;
        believed.confirmed = now;
        members.adopt(believed, now);
    }

    // Where a new client goes, or "" while it is held.
    std::string enter()
    {
        auto& v = visits.emplace_back(door, 0);
        return again(v);
    }

    std::string again(hold::visit& v)
    {
        const asker who{from, resting, silent};
        const auto answer = v.enter([&](const hold::room& room)
                                    { return members.choose(room, believed, now, who); });
        CHECK((answer == hold::turn::entered) == !v.member().empty());
        v.connected();
        return std::string(v.member());
    }

    std::string enter_few(int n)
    {
        std::string all;
        while (n-- > 0)
            all += enter();
        return all;
    }

    topology believed = topology_builder().replica("a").replica("b").replica("c").build();
    rolegate::config::cluster_settings cluster;
    client_address from{{10, 0, 0, 1}, client_family::v4};
    std::vector<std::string> resting;
    recent silent{10s};
    selection::time_point now;
    selection members;
    hold door;
    std::list<hold::visit> visits;
};

} // namespace

TEST_SUITE_BEGIN("proxy/selection");

TEST_CASE("open members take turns; those that refused this client, or are shut, are passed over")
{
    world w;
    CHECK(w.enter_few(6) == "abcabc");
    w.resting = {"b"};
    CHECK(w.enter_few(4) == "acac");
    w.open(0, admission::keep);
    CHECK(w.enter_few(2) == "cc");
    w.resting = {"b", "c"};
    CHECK(w.enter() == "");
}

TEST_CASE("silent members come last, but before nobody")
{
    world w;
    w.silent.note(0, "a", w.now);
    w.silent.note(0, "b", w.now);
    CHECK(w.enter_few(2) == "cc");
    w.resting = {"c"};
    CHECK(w.enter_few(4) == "abab");
    w.resting.clear();
    w.cluster.member_options["c"].maxconn = 2;
    CHECK(w.enter_few(2) == "ab");
}

TEST_CASE("leastconn counts the sessions of all, weight by weight")
{
    world w(balance_algorithm::leastconn);
    w.cluster.member_options["a"].weight = 3;
    w.enter_few(50);
    std::map<std::string, int> sessions;
    for (const auto& v : w.visits)
        ++sessions[std::string(v.member())];
    CHECK(sessions["a"] == 30);
    CHECK(sessions["b"] == 10);
    CHECK(sessions["c"] == 10);
}

TEST_CASE("first fills one member after the other")
{
    world w(balance_algorithm::first);
    w.cluster.default_member.maxconn = 2;
    CHECK(w.enter_few(7) == "aabbcc");
    CHECK(w.door.held() == 1);
    w.visits.pop_front();
    CHECK(w.again(w.visits.back()) == "a");
}

TEST_CASE("first goes by the configured list, and behind it by name")
{
    rolegate::config::cluster_settings listed;
    listed.tcp.emplace().members = {{"b", 1}, {"gone", 1}, {"a", 1}};
    world w(balance_algorithm::first, listed);
    w.believed = topology_builder().replica("a:1").replica("b:1").replica("c").replica("d").build();
    w.believed.generation = 2;
    w.members.adopt(w.believed, w.now);
    w.cluster.default_member.maxconn = 1;
    CHECK(w.enter_few(4) == "b:1a:1cd");
    w.visits.pop_front();
    CHECK(w.enter() == "b:1");
}

TEST_CASE("a full member is no reason to use a backup; a shut one is")
{
    world w;
    w.cluster.member_options["a"].maxconn = 1;
    for (const char* name : {"b", "c"})
        w.cluster.member_options[name].backup = true;
    CHECK(w.enter_few(2) == "a");
    CHECK(w.members.shares(w.believed, w.now).at("b").is_idle);
    w.open(0, admission::closed);
    const auto shares = w.members.shares(w.believed, w.now);
    CHECK_FALSE(shares.contains("a"));
    CHECK_FALSE(shares.at("b").is_idle);
    CHECK(shares.at("c").is_idle);
    w.door.wake_head();
    CHECK(w.again(w.visits.back()) == "b");
    CHECK(w.enter_few(2) == "bb");
}

TEST_CASE("source: a client waits for its own member, up to maxqueue; others pass")
{
    world w(balance_algorithm::source);
    w.cluster.default_member.maxconn = 1;
    w.cluster.default_member.maxqueue = 2;
    const auto own = w.enter();
    CHECK(w.enter_few(2) == "");
    const auto second = w.enter();
    CHECK(second != "");
    CHECK(second != own);
    CHECK(w.door.held() == 2);

    w.visits.pop_front();
    CHECK(w.again(w.visits.back()) == second); // a place is free, but two came before
    CHECK(w.again(w.visits.front()) == own);
}

TEST_CASE("slowstart holds back weight and maxconn of a member that comes back")
{
    world w;
    w.cluster.member_options["a"].weight = 16;
    w.cluster.member_options["a"].slowstart = 16s;
    w.cluster.member_options["a"].maxconn = 16;
    w.open(2, admission::closed);
    w.open(0, admission::closed);
    w.now += 1s;
    w.open(0, admission::open);

    CHECK(w.members.next_step(w.now) == w.now + 1s);
    CHECK(w.members.shares(w.believed, w.now).at("a") == member_share{1, 16, false, 6});
    CHECK(w.enter_few(4) == "abbb"); // maxconn 1
    w.now += 4s;
    w.believed.confirmed = w.now;
    CHECK(w.members.shares(w.believed, w.now).at("a") == member_share{5, 16, false, 31});
    w.now += 12s;
    w.believed.confirmed = w.now;
    CHECK(w.members.shares(w.believed, w.now).at("a") == member_share{16, 16, false});
    CHECK(w.members.next_step(w.now) == selection::time_point::max());
}

TEST_CASE("rebalance sends nobody where a client has just failed")
{
    world w;
    const selection::session_counts sessions{{"a", 30}, {"b", 30}};
    const auto due = [&] { return w.members.surplus_members(w.believed, w.now, sessions, 100); };
    CHECK(due() == selection::session_counts{{"a", 10}, {"b", 10}});

    w.members.note_failed("c", w.now);
    CHECK(due().empty());
    w.now += 61s;
    w.believed.confirmed = w.now;
    CHECK(due() == selection::session_counts{{"a", 10}, {"b", 10}});
}

TEST_CASE("in a stale view nobody is chosen")
{
    world w;
    w.now += 1h;
    CHECK(w.enter() == "");
}

TEST_SUITE_END();
