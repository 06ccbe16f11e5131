// SPDX-License-Identifier: PostgreSQL
#include "proxy/cancel_keys.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace rolegate::proxy;

namespace
{

using key = std::vector<std::byte>;

key key_of(std::uint64_t n, std::size_t size = min_cancel_key_size)
{
    key k(size, std::byte{0x5a});
    for (std::size_t i = 0; i < sizeof n && i < size; ++i)
        k[i] = static_cast<std::byte>(n >> (8 * i));
    return k;
}

const server_address a{"10.0.0.1", 5432};
const server_address b{"10.0.0.1", 5433};

} // namespace

TEST_SUITE_BEGIN("proxy/cancel_keys");

TEST_CASE("a key of every legal length is known as long as its entry lives")
{
    const struct
    {
        std::size_t size;
        bool kept;
    } rows[] = {
        {0, false},
        {4, false},
        {7, false},
        {8, true},
        {9, true},
        {36, true},
        {260, true},
        {261, false},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.size);
        cancel_keys keys;
        const auto k = key_of(7, row.size);
        {
            const auto e = keys.add(k, a);
            CHECK(e.empty() == !row.kept);
            CHECK(keys.find(k).has_value() == row.kept);
            if (row.kept)
                CHECK(*keys.find(k) == a);
        }
        CHECK_FALSE(keys.find(k));
        CHECK(keys.size() == 0);
    }
}

TEST_CASE("a key that differs in any byte or in its length is another one")
{
    cancel_keys keys;
    for (const std::size_t size : {8U, 36U, 260U})
    {
        const auto k = key_of(1, size);
        const auto e = keys.add(k, a);
        for (std::size_t i = 0; i < size; ++i)
        {
            auto other = k;
            other[i] ^= std::byte{1};
            CHECK_FALSE(keys.find(other));
        }
        auto other = k;
        other.push_back({});
        CHECK_FALSE(keys.find(other));
        other.resize(size - 1);
        CHECK_FALSE(keys.find(other));
    }
}

TEST_CASE("two servers gave out the same key: one session's end does not take the other's entry")
{
    for (const std::size_t size : {8U, 36U})
    {
        cancel_keys keys;
        const auto k = key_of(1, size);
        for (const bool first_ends : {true, false})
        {
            auto of_a = keys.add(k, a);
            auto of_b = keys.add(k, b);
            CHECK(keys.size() == 2);

            (first_ends ? of_a : of_b).remove();

            CHECK(keys.find(k) == (first_ends ? b : a));
        }
        CHECK(keys.size() == 0);
    }
}

TEST_CASE("an entry may be moved")
{
    cancel_keys keys;
    auto one = keys.add(key_of(1), a);
    auto two = keys.add(key_of(2), b);
    cancel_keys::entry moved(std::move(one));
    CHECK(keys.size() == 2);

    two = std::move(moved);

    CHECK_FALSE(keys.find(key_of(2)));
    CHECK(keys.find(key_of(1)) == a);
    two = {};
    CHECK(keys.size() == 0);
    two.remove();
    CHECK(two.empty());
}

TEST_CASE("what an entry costs in the session")
{
    CHECK(sizeof(cancel_keys::entry) == 2 * sizeof(void*));
}

TEST_CASE("servers that come and go leave no trace")
{
    cancel_keys keys;
    auto stays = keys.add(key_of(1), a);
    for (unsigned i = 0; i < 1000; ++i)
    {
        const server_address now{"10.0.1." + std::to_string(i), 5432};
        const auto e = keys.add(key_of(1000 + i), now);
        CHECK(keys.find(key_of(1000 + i)) == now);
    }
    CHECK(keys.find(key_of(1)) == a);
}

TEST_CASE("threads add, find and remove at once")
{
    cancel_keys keys;
    const auto own = keys.add(key_of(0), a);
    std::atomic<unsigned> wrong{0};
    const auto work = [&](unsigned self)
    {
        std::mt19937 random(self);
        std::vector<cancel_keys::entry> entries(64);
        for (unsigned i = 0; i < 1500; ++i)
        {
            const auto slot = random() % entries.size();
            const auto n = (std::uint64_t{self} << 32) + slot + 1;
            const auto k = key_of(n, slot % 2 == 0 ? 8 : 36);
            const bool was = !entries[slot].empty();
            wrong += keys.find(k).has_value() != was ? 1U : 0U;
            if (was)
                entries[slot].remove();
            else
                entries[slot] = keys.add(k, {"10.0.0." + std::to_string(random() % 8), 5432});
            wrong += keys.find(key_of(0)) != a ? 1U : 0U;
        }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 1; i <= 4; ++i)
        threads.emplace_back(work, i);
    for (auto& t : threads)
        t.join();

    CHECK(wrong.load() == 0);
    CHECK(keys.size() == 1);
}

TEST_SUITE_END();
