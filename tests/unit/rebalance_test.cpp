// SPDX-License-Identifier: PostgreSQL
#include "proxy/rebalance.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace rolegate::proxy;

namespace
{

// Of each member, in their order.
std::vector<std::size_t> surpluses(const std::vector<holding>& all, std::size_t away = 0)
{
    std::vector<std::size_t> out;
    for (const auto& h : all)
        out.push_back(surplus(h, all, away));
    return out;
}

using numbers = std::vector<std::size_t>;

} // namespace

TEST_SUITE("rebalance")
{
    TEST_CASE("what is beyond the share by weight is a surplus")
    {
        CHECK(surpluses({{"a", 40, 1}, {"b", 0, 1}}) == numbers{20, 0});
        CHECK(surpluses({{"a", 40, 1}, {"b", 40, 1}, {"c", 0, 1}}) == numbers{13, 13, 0});
        CHECK(surpluses({{"a", 40, 3}, {"b", 0, 1}}) == numbers{10, 0});
        CHECK(surpluses({{"a", 40, 256}, {"b", 40, 1}}) == numbers{0, 39});
        CHECK(surpluses({{"a", 100, 16}, {"b", 0, 1}}) == numbers{0, 0}); // 6: within the tolerance
    }

    TEST_CASE("a twentieth and one session more stay")
    {
        CHECK(surpluses({{"a", 2, 1}, {"b", 0, 1}}) == numbers{0, 0});
        CHECK(surpluses({{"a", 3, 1}, {"b", 0, 1}}) == numbers{0, 0});
        CHECK(surpluses({{"a", 4, 1}, {"b", 0, 1}}) == numbers{2, 0});
        CHECK(surpluses({{"a", 106, 1}, {"b", 94, 1}}) == numbers{0, 0});
        CHECK(surpluses({{"a", 107, 1}, {"b", 93, 1}}) == numbers{7, 0});
    }

    TEST_CASE("who was sent away counts until he is back")
    {
        CHECK(surpluses({{"a", 30, 1}, {"b", 0, 1}}, 10) == numbers{10, 0});
        CHECK(surpluses({{"a", 20, 1}, {"b", 0, 1}}, 20) == numbers{0, 0});
    }

    TEST_CASE("no more go than there are places for")
    {
        const std::vector<holding> one_place{{"a", 990, 1}, {"b", 9, 1, 10}};
        CHECK(places(one_place, 0) == 1);
        CHECK(places(one_place, 1) == 0);
        const std::vector<holding> unlimited{{"a", 40, 1}, {"b", 0, 1}};
        CHECK(places(unlimited, 0) == 20);
        CHECK(places(unlimited, 10) == 15); // the ten are counted in the share
        CHECK(places({}, 0) == 0);
    }

    TEST_CASE("there is no surplus where there is nobody else")
    {
        CHECK(surpluses({{"a", 40, 1}}) == numbers{0});
        CHECK(surpluses({{"a", 0, 1}, {"b", 0, 1}}) == numbers{0, 0});
        CHECK(surpluses({{"a", 4, 0}, {"b", 0, 0}}) == numbers{0, 0});
    }

    TEST_CASE("so much a second, and never more than the surplus")
    {
        CHECK(moves_due(20, 40, 5) == 2);
        CHECK(moves_due(20, 41, 5) == 3);
        CHECK(moves_due(1, 40, 5) == 1);
        CHECK(moves_due(0, 40, 100) == 0);
        CHECK(moves_due(20, 40, 100) == 20);
    }
}
