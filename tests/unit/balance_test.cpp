// SPDX-License-Identifier: PostgreSQL
#include "proxy/balance.hpp"

#include "proxy/slowstart.hpp"
#include "tests/support/topology_builder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

using namespace rolegate::proxy;
using rolegate::config::balance_algorithm;
using rolegate::support::topology_builder;

namespace
{

constexpr int many = 10'000;

client_address client_number(std::uint32_t n)
{
    client_address a;
    a.family = client_family::v4;
    a.bytes = {
        10,
        static_cast<std::uint8_t>(n >> 16U),
        static_cast<std::uint8_t>(n >> 8U),
        static_cast<std::uint8_t>(n)};
    return a;
}

// A listener of these members, whose sessions end when the test says so.
struct pool
{
    pool(balance_algorithm algorithm, std::vector<std::pair<std::string, unsigned>> weights)
        : shared(algorithm, 7)
    {
        for (const auto& [name, weight] : weights)
            join(name, weight);
    }

    void join(const std::string& name, unsigned weight)
    {
        const auto at = std::ranges::lower_bound(members, name, {}, &candidate::name);
        members.insert(at, {names.emplace_back(name), weight * weight_scale});
        adopt();
    }

    void part(const std::string& name)
    {
        std::erase_if(members, [&](const candidate& c) { return c.name == name; });
        adopt();
    }

    void adopt()
    {
        topology_builder t;
        for (const auto& m : members)
            t.replica(std::string(m.name));
        shared.adopt(t.build());
    }

    candidate& at(const std::string& name)
    {
        return *std::ranges::find(members, name, &candidate::name);
    }

    std::string next(std::uint32_t client = 0)
    {
        const auto found = shared.choose(members, client_number(client));
        if (!found.member)
            return "nobody";
        return (found.waits ? "wait for " : "") + std::string(found.member->name);
    }

    // The session stays.
    std::string enter(std::uint32_t client = 0)
    {
        const auto name = next(client);
        ++at(name).sessions;
        return name;
    }

    std::string next_few(int n)
    {
        std::string all;
        while (n-- > 0)
            all += next() + (n > 0 ? " " : "");
        return all;
    }

    balance shared;
    std::deque<std::string> names; // they stay where they are
    std::vector<candidate> members;
};

// Each has its share by weight of these sessions, give or take one in a hundred of all.
void check_shares(const std::map<std::string, int>& sessions, const pool& p)
{
    unsigned all_weights = 0;
    int all = 0;
    for (const auto& m : p.members)
        all_weights += m.weight;
    for (const auto& [name, n] : sessions)
        all += n;
    for (const auto& m : p.members)
    {
        CAPTURE(m.name);
        const auto found = sessions.find(std::string(m.name));
        REQUIRE(found != sessions.end());
        CHECK(std::abs(found->second - all * double(m.weight) / all_weights) <= all / 100.0);
    }
    CHECK(sessions.size() == p.members.size());
}

using counts = std::map<std::string, int>;

} // namespace

TEST_SUITE_BEGIN("proxy/balance");

TEST_CASE("10,000 sessions are shared by weight, whether they stay or end")
{
    for (const auto algorithm :
         {balance_algorithm::roundrobin,
          balance_algorithm::leastconn,
          balance_algorithm::random,
          balance_algorithm::source})
        for (const bool stay : {true, false})
        {
            CAPTURE(static_cast<int>(algorithm));
            CAPTURE(stay);
            pool equal(algorithm, {{"a", 1}, {"b", 1}, {"c", 1}});
            pool p(algorithm, {{"a", 1}, {"b", 2}, {"c", 5}});
            counts equal_share;
            counts share;
            for (std::uint32_t i = 0; i < many; ++i)
            {
                ++equal_share[stay ? equal.enter(i) : equal.next(i)];
                ++share[stay ? p.enter(i) : p.next(i)];
            }
            check_shares(equal_share, equal);
            check_shares(share, p);
        }
}

TEST_CASE("and by those who are left when one goes, and by all when one joins")
{
    for (const auto algorithm :
         {balance_algorithm::roundrobin, balance_algorithm::leastconn, balance_algorithm::random})
    {
        CAPTURE(static_cast<int>(algorithm));
        pool p(algorithm, {{"a", 1}, {"b", 2}, {"c", 5}});
        for (int i = 0; i < 999; ++i)
            p.next();

        p.part("c");
        counts share;
        for (int i = 0; i < many; ++i)
            ++share[p.next()];
        check_shares(share, p);

        p.join("0", 3);
        share.clear();
        for (int i = 0; i < many; ++i)
            ++share[p.next()];
        check_shares(share, p);
    }
}

TEST_CASE("roundrobin: turns are mixed as evenly as they can be")
{
    CHECK(
        pool(balance_algorithm::roundrobin, {{"a", 1}, {"b", 1}, {"c", 1}}).next_few(7) ==
        "a b c a b c a"
    );
    CHECK(
        pool(balance_algorithm::roundrobin, {{"a", 5}, {"b", 1}, {"c", 1}}).next_few(14) ==
        "a a b a c a a a a b a c a a"
    );
    CHECK(pool(balance_algorithm::roundrobin, {{"a", 256}}).next_few(2) == "a a");
}

TEST_CASE("roundrobin: who is full is passed over, and has missed its turns")
{
    pool p(balance_algorithm::roundrobin, {{"a", 1}, {"b", 1}, {"c", 1}});
    p.at("b").full = true;
    counts share;
    for (int i = 0; i < many; ++i)
        ++share[p.next()];
    CHECK(share == counts{{"a", many / 2}, {"c", many / 2}});

    p.at("b").full = false;
    share.clear();
    for (int i = 0; i < 9; ++i)
        ++share[p.next()];
    CHECK(share == counts{{"a", 3}, {"b", 3}, {"c", 3}});
}

TEST_CASE("roundrobin: a member that adopt() has not named yet gets its turns, too")
{
    pool p(balance_algorithm::roundrobin, {{"a", 1}, {"c", 1}});
    p.members.insert(p.members.begin() + 1, {"b", weight_scale});

    CHECK(p.next_few(6) == "a b c a b c");
}

TEST_CASE("leastconn: idle members first whatever their weight, then the least for its weight")
{
    pool p(balance_algorithm::leastconn, {{"a", 1}, {"b", 2}, {"c", 4}});

    counts share;
    for (int i = 0; i < 3; ++i)
        ++share[p.enter()];
    CHECK(share == counts{{"a", 1}, {"b", 1}, {"c", 1}});
    CHECK(p.enter() == "c");
    CHECK(p.enter() == "c");
    p.at("b").sessions = 0;
    CHECK(p.next() == "b");
    p.at("b").full = true;
    p.at("c").sessions = 100;
    CHECK(p.next() == "a");
}

TEST_CASE("leastconn: equals take turns")
{
    pool p(balance_algorithm::leastconn, {{"a", 3}, {"b", 3}, {"c", 3}});
    for (const std::size_t n : {0, 1, 1000})
    {
        for (auto& m : p.members)
            m.sessions = n;
        CHECK(p.next_few(6) == "a b c a b c");
    }
}

TEST_CASE("random: of two that are drawn the less loaded for its weight wins")
{
    pool p(balance_algorithm::random, {{"a", 1}, {"b", 1}});
    p.at("a").sessions = 1000;
    counts share;
    for (int i = 0; i < many; ++i)
        ++share[p.next()];
    // `a` only when it is drawn twice.
    CHECK(share["a"] > many * 23 / 100);
    CHECK(share["a"] < many * 27 / 100);

    // The same load for their weights: the draw alone decides.
    p.at("b").weight = 3 * weight_scale;
    p.at("b").sessions = 3000;
    share.clear();
    for (int i = 0; i < many; ++i)
        ++share[p.next()];
    check_shares(share, p);
}

TEST_CASE("random: one seed, one sequence")
{
    pool one(balance_algorithm::random, {{"a", 1}, {"b", 1}, {"c", 1}});
    pool other(balance_algorithm::random, {{"a", 1}, {"b", 1}, {"c", 1}});

    CHECK(one.next_few(50) == other.next_few(50));
}

TEST_CASE("first: the first by name that has a place, whatever the weights")
{
    pool p(balance_algorithm::first, {{"a", 1}, {"b", 200}, {"c", 1}});
    CHECK(p.next_few(3) == "a a a");
    p.at("a").full = true;
    CHECK(p.next_few(3) == "b b b");
    p.at("b").full = true;
    CHECK(p.next_few(3) == "c c c");
    p.at("a").full = false;
    CHECK(p.next() == "a");
}

TEST_CASE("source: a client always has the same member, on every proxy")
{
    pool here(balance_algorithm::source, {{"pg-1", 1}, {"pg-2", 2}, {"pg-3", 5}});
    pool there(balance_algorithm::source, {{"pg-3", 5}, {"pg-2", 2}, {"pg-1", 1}});
    for (std::uint32_t client = 0; client < 1000; ++client)
    {
        const auto own = here.next(client);
        CHECK(here.enter(client) == own);
        CHECK(there.next(client) == own);
    }
    // Of this version and of all others.
    std::string some;
    for (std::uint32_t client = 0; client < 16; ++client)
        some += here.next(client).back();
    CHECK(some == "2213133321333333");
}

TEST_CASE("source: when a member goes only its own clients move, and they come back with it")
{
    pool p(balance_algorithm::source, {{"a", 1}, {"b", 2}, {"c", 5}, {"d", 2}});
    std::vector<std::string> before;
    for (std::uint32_t client = 0; client < many; ++client)
        before.push_back(p.next(client));

    p.part("b");
    counts heirs;
    for (std::uint32_t client = 0; client < many; ++client)
    {
        if (before[client] == "b")
            ++heirs[p.next(client)];
        else if (p.next(client) != before[client])
            FAIL_CHECK("client " << client << " was moved from " << before[client]);
    }
    CHECK(heirs.size() == 3);

    p.join("b", 2);
    int moved = 0;
    for (std::uint32_t client = 0; client < many; ++client)
        moved += p.next(client) == before[client] ? 0 : 1;
    CHECK(moved == 0);

    // A member that grows takes from the others and gives nothing.
    p.at("b").weight = 4 * weight_scale;
    for (std::uint32_t client = 0; client < many; ++client)
        moved += p.next(client) == before[client] || p.next(client) == "b" ? 0 : 1;
    CHECK(moved == 0);
}

TEST_CASE("source: who is full is waited for, until too many wait")
{
    pool p(balance_algorithm::source, {{"a", 1}, {"b", 1}});
    const auto own = p.next(5);
    const std::string other = own == "a" ? "b" : "a";
    p.at(own).full = true;
    CHECK(p.next(5) == "wait for " + own);
    p.at(own).queue_full = true;
    CHECK(p.next(5) == other);
    p.at(other).full = true;
    CHECK(p.next(5) == "wait for " + other);
    p.at(other).queue_full = true;
    CHECK(p.next(5) == "nobody");
    p.at(own).full = false;
    CHECK(p.next(5) == own);
}

TEST_CASE("source: addresses of IPv6 count whole, and unix sockets take turns")
{
    pool p(balance_algorithm::source, {{"a", 1}, {"b", 1}, {"c", 1}});
    counts share;
    client_address six{{0x20, 0x01, 0x0d, 0xb8}, client_family::v6};
    for (int i = 0; i < 3000; ++i)
    {
        six.bytes[14] = static_cast<std::uint8_t>(i >> 8);
        six.bytes[15] = static_cast<std::uint8_t>(i);
        ++share[std::string(p.shared.choose(p.members, six).member->name)];
    }
    CHECK(share.size() == 3);
    CHECK(share["a"] > 900);
    CHECK(share["b"] > 900);
    CHECK(share["c"] > 900);

    std::string turns;
    for (int i = 0; i < 6; ++i)
        turns += p.shared.choose(p.members, client_address{}).member->name;
    CHECK(turns == "abcabc");
}

TEST_CASE("without a place there is nobody, and nothing is counted")
{
    for (const auto algorithm :
         {balance_algorithm::roundrobin,
          balance_algorithm::leastconn,
          balance_algorithm::random,
          balance_algorithm::first})
    {
        pool p(algorithm, {{"a", 1}, {"b", 1}});
        CHECK_FALSE(p.shared.choose({}, client_number(1)).member);
        for (auto& m : p.members)
            m.full = true;
        for (int i = 0; i < 5; ++i)
            CHECK(p.next() == "nobody");
        for (auto& m : p.members)
            m.full = false;
        if (algorithm != balance_algorithm::random)
            CHECK(p.next() == "a");
    }
}

TEST_SUITE_END();
