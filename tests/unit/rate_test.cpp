// SPDX-License-Identifier: PostgreSQL
#include "proxy/rate.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using rolegate::proxy::rate;

TEST_SUITE_BEGIN("proxy/rate");

TEST_CASE("a rate is what has happened within the last second")
{
    const rate::time_point start{1000h};
    rate r;
    CHECK(r.per_second(start) == 0);

    for (int i = 0; i < 10; ++i)
        r.note(start + i * 100ms);
    CHECK(r.per_second(start + 900ms) == 10);
    CHECK(r.per_second(start + 1500ms) == 5); // half of the second before is left
    CHECK(r.per_second(start + 2s) == 0);
    CHECK(r.most() == 10);
}

TEST_CASE("the second before counts by what is left of it")
{
    const rate::time_point start{1000h};
    rate r;
    for (int i = 0; i < 8; ++i)
        r.note(start);
    r.note(start + 1250ms);
    CHECK(r.per_second(start + 1250ms) == 1 + 6);
    r.note(start + 1750ms);
    CHECK(r.per_second(start + 1750ms) == 2 + 2);
    CHECK(r.most() == 8);
}

TEST_CASE("after a pause the past is forgotten, but not the most there ever was")
{
    const rate::time_point start{1000h};
    rate r;
    r.note(start);
    r.note(start);
    r.note(start + 1h);
    CHECK(r.per_second(start + 1h) == 1);
    CHECK(r.most() == 2);
}

TEST_SUITE_END();
