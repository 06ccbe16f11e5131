// SPDX-License-Identifier: PostgreSQL
#include "proxy/waiting_line.hpp"

#include <doctest/doctest.h>

using namespace rolegate::proxy;

namespace
{

ticket number_of(const std::optional<waiting_line::waiter>& w)
{
    return w ? w->number : 0;
}

} // namespace

TEST_SUITE_BEGIN("proxy/waiting line");

TEST_CASE("the oldest ticket is first, whenever it joined")
{
    waiting_line line;
    CHECK_FALSE(line.first());
    line.join({5, 1});
    line.join({3, 2});
    line.join({3, 2});

    CHECK(number_of(line.first()) == 3);
    CHECK(line.first()->worker == 2);
    CHECK(line.size() == 2);
    CHECK(line.is_behind(5));
    CHECK(line.is_behind(4));
    CHECK_FALSE(line.is_behind(3));
    CHECK_FALSE(line.leave(3));
    CHECK(number_of(line.first()) == 5);
    CHECK_FALSE(line.leave(99));
    CHECK(line.size() == 1);
}

TEST_CASE("who stands aside for a member is before those only who want the same")
{
    waiting_line line;
    for (ticket t = 1; t <= 5; ++t)
        line.join({t, 7});
    line.stand_aside(1, {0, "a"});
    line.stand_aside(3, {0, "a"});
    line.stand_aside(2, {0, "b"});
    line.stand_aside(99, {0, "b"});

    CHECK(line.size() == 5);
    CHECK(number_of(line.first()) == 4);
    CHECK(number_of(line.first_for({0, "a"})) == 1);
    CHECK(line.first_for({0, "a"})->worker == 7);
    CHECK(number_of(line.first_for({0, "b"})) == 2);
    CHECK_FALSE(line.first_for({0, "c"}));
    CHECK(line.waiting_for({0, "a"}) == 2);
    CHECK(line.waiting_for({0, "c"}) == 0);
    CHECK(line.is_aside(3));
    CHECK_FALSE(line.is_aside(4));
    CHECK(line.is_behind(3, {0, "a"}));
    CHECK_FALSE(line.is_behind(1, {0, "a"}));
    CHECK_FALSE(line.is_behind(1, {0, "b"}));
    CHECK_FALSE(line.is_behind(9, {0, "c"}));
}

TEST_CASE("members of two clusters that have the same name have nothing to do with each other")
{
    waiting_line line;
    for (ticket t = 1; t <= 3; ++t)
        line.join({t, 0});
    line.stand_aside(1, {7, "a"});
    line.stand_aside(2, {8, "a"});

    CHECK(number_of(line.first_for({7, "a"})) == 1);
    CHECK(number_of(line.first_for({8, "a"})) == 2);
    CHECK_FALSE(line.first_for({0, "a"}));
    CHECK(line.waiting_for({8, "a"}) == 1);
    CHECK_FALSE(line.is_behind(2, {8, "a"}));
    CHECK(line.is_behind(3, {8, "a"}));
    CHECK(line.aside_for(2) == waiting_line::member_key(8, "a"));
    CHECK(line.aside_for(3).second.empty());
    CHECK_FALSE(line.leave(1)); // the other is the first for another member
}

TEST_CASE("leaving tells who has become the first for the member")
{
    waiting_line line;
    for (ticket t = 1; t <= 3; ++t)
    {
        line.join({t, 0});
        line.stand_aside(t, {0, "a"});
    }

    CHECK_FALSE(line.leave(2));
    CHECK(number_of(line.leave(1)) == 3);
    CHECK_FALSE(line.leave(3));
    CHECK(line.size() == 0);
    CHECK(line.waiting_for({0, "a"}) == 0);
}

TEST_CASE("one or all come back into the line, at their places")
{
    waiting_line line;
    for (ticket t = 1; t <= 4; ++t)
        line.join({t, 0});
    line.stand_aside(1, {0, "a"});
    line.stand_aside(2, {0, "a"});
    line.stand_aside(3, {0, "b"});

    line.join({2, 0});
    CHECK_FALSE(line.is_aside(2));
    CHECK(number_of(line.first()) == 2);
    CHECK(line.waiting_for({0, "a"}) == 1);

    line.recall();
    CHECK(number_of(line.first()) == 1);
    CHECK_FALSE(line.is_aside(1));
    CHECK_FALSE(line.first_for({0, "b"}));
    CHECK(line.size() == 4);
}

TEST_SUITE_END();
