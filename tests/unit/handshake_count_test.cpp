// SPDX-License-Identifier: PostgreSQL
#include "proxy/handshake_count.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

using namespace rolegate::proxy;

namespace
{

using limit = handshake_count::limit;

address_key ipv4(std::uint8_t last)
{
    return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last};
}

// 2001:db8:0:NET::HOST
address_key ipv6(std::uint8_t net, std::uint8_t host)
{
    return {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, net, 0, 0, 0, 0, 0, 0, 0, host};
}

} // namespace

TEST_SUITE_BEGIN("proxy/handshake_count");

TEST_CASE("the listener's limit, and a place that is free again")
{
    handshake_count count({.max = 2, .per_address = 2});
    auto one = count.enter(ipv4(1));
    const auto two = count.enter(ipv4(2));
    CHECK(one.hit == limit::none);
    CHECK(two.hit == limit::none);
    CHECK(count.size() == 2);

    const auto refused = count.enter(ipv4(3));
    CHECK(refused.hit == limit::listener);
    CHECK(refused.place.empty());
    CHECK(count.addresses() == 2);

    one.place.end();
    one.place.end();
    CHECK(count.size() == 1);
    CHECK(count.addresses() == 1);
    CHECK(count.enter(ipv4(3)).hit == limit::none);
}

TEST_CASE("who shares an address with whom")
{
    const struct
    {
        std::optional<address_key> first;
        std::optional<address_key> second;
        limit expected;
    } rows[] = {
        {ipv4(1), ipv4(1), limit::address},
        {ipv4(1), ipv4(2), limit::none},
        {ipv6(1, 1), ipv6(1, 1), limit::address},
        {ipv6(1, 1), ipv6(1, 2), limit::address}, // one host owns a /64
        {ipv6(1, 1), ipv6(2, 1), limit::none},
        {ipv6(0, 1), ipv4(1), limit::none},
        {std::nullopt, std::nullopt, limit::none},
        {std::nullopt, ipv4(1), limit::none},
    };
    for (const auto& row : rows)
    {
        handshake_count count({.max = 10, .per_address = 1});
        const auto first = count.enter(row.first);
        REQUIRE(first.hit == limit::none);

        const auto second = count.enter(row.second);

        CHECK(second.hit == row.expected);
        CHECK(second.place.empty() == (row.expected != limit::none));
        CHECK(count.size() == (row.expected == limit::none ? 2 : 1));
    }
}

TEST_CASE("limits of 0 let nobody in and leave nothing behind")
{
    handshake_count none({.max = 0, .per_address = 1});
    CHECK(none.enter(ipv4(1)).hit == limit::listener);
    handshake_count nobody({.max = 1, .per_address = 0});
    CHECK(nobody.enter(ipv4(1)).hit == limit::address);
    CHECK(nobody.addresses() == 0);
    CHECK(nobody.enter(std::nullopt).hit == limit::none);
}

TEST_CASE("a token may be moved")
{
    handshake_count count({.max = 10, .per_address = 10});
    auto one = count.enter(ipv4(1)).place;
    auto two = count.enter(ipv4(2)).place;
    handshake_count::token moved(std::move(one));
    CHECK(count.size() == 2);

    two = std::move(moved);

    CHECK(count.size() == 1);
    CHECK(count.addresses() == 1);
    two = {};
    CHECK(count.size() == 0);
    CHECK(count.addresses() == 0);
}

TEST_CASE("threads enter at once, and a token ends on another thread than it began on")
{
    constexpr std::size_t most = 64;
    handshake_count count({.max = most, .per_address = 8});
    std::mutex mutex; // of `shared`
    std::vector<handshake_count::token> shared(90);
    std::atomic<int> over{0};
    const auto work = [&](unsigned self)
    {
        std::mt19937 random(self);
        for (int i = 0; i < 1500; ++i)
        {
            auto got = count.enter(ipv4(static_cast<std::uint8_t>(random() % 12)));
            over += count.size() > most ? 1 : 0;
            const std::lock_guard lock(mutex);
            std::swap(shared[random() % shared.size()], got.place);
        }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 4; ++i)
        threads.emplace_back(work, i);
    for (auto& t : threads)
        t.join();

    CHECK(over.load() == 0);
    CHECK(count.size() > 0);
    shared.clear();
    CHECK(count.size() == 0);
    CHECK(count.addresses() == 0);
}

TEST_SUITE_END();
