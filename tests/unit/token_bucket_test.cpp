// SPDX-License-Identifier: PostgreSQL
#include "proxy/token_bucket.hpp"

#include <doctest/doctest.h>

#include <limits>

using rolegate::proxy::token_bucket;
using namespace std::chrono_literals;

namespace
{

const token_bucket::time_point start = token_bucket::time_point{} + 1000h;

int taken(token_bucket& bucket, token_bucket::time_point now, int attempts = 1000)
{
    int out = 0;
    for (int i = 0; i < attempts; ++i)
        out += bucket.take(now) ? 1 : 0;
    return out;
}

} // namespace

TEST_SUITE_BEGIN("proxy/token_bucket");

TEST_CASE("a fresh bucket is full")
{
    token_bucket bucket{10, 5};
    CHECK(taken(bucket, start) == 5);
}

TEST_CASE("a bucket is full at the first moment of the clock, too")
{
    token_bucket bucket{10, 5};
    CHECK(taken(bucket, {}) == 5);
}

TEST_CASE("tokens come back with the time, up to the burst")
{
    token_bucket bucket{10, 5};
    REQUIRE(taken(bucket, start) == 5);

    CHECK(taken(bucket, start + 99ms) == 0);
    CHECK(taken(bucket, start + 100ms + 1us) == 1);
    CHECK(taken(bucket, start + 400ms + 2us) == 3);
    CHECK(taken(bucket, start + 1h) == 5);
}

TEST_CASE("many small steps bring as much as a large one")
{
    token_bucket bucket{100, 1};
    REQUIRE(taken(bucket, start) == 1);
    int out = 0;
    for (auto t = 1us; t <= 1s; t += 7us)
        out += bucket.take(start + t) ? 1 : 0;
    CHECK(out >= 99);
    CHECK(out <= 100);
}

TEST_CASE("refused attempts cost nothing")
{
    token_bucket bucket{1, 1};
    REQUIRE(bucket.take(start));
    for (auto t = 1ms; t < 1s; t += 1ms)
        REQUIRE_FALSE(bucket.take(start + t));
    CHECK(bucket.take(start + 1s + 1us));
}

TEST_CASE("fewer than one per second is a rate as well")
{
    token_bucket bucket{0.5, 1};
    REQUIRE(bucket.take(start));
    CHECK_FALSE(bucket.take(start + 1999ms));
    CHECK(bucket.take(start + 2001ms));
}

TEST_CASE("a time that goes back brings nothing and breaks nothing")
{
    token_bucket bucket{1, 1};
    REQUIRE(bucket.take(start));
    CHECK_FALSE(bucket.take(start - 1h));
    CHECK_FALSE(bucket.take(start));
    CHECK(bucket.take(start + 1001ms));
}

TEST_CASE("a burst below one counts as one, a rate below zero as none")
{
    token_bucket bucket{-1, 0};
    CHECK(taken(bucket, start) == 1);
    CHECK(taken(bucket, start + 1h) == 0);
}

TEST_CASE("numbers that are none do not open the gate")
{
    const auto nan = std::numeric_limits<double>::quiet_NaN();
    token_bucket bucket{nan, nan};
    CHECK(taken(bucket, start) == 1);
    CHECK(taken(bucket, start + 1h) == 0);
}

TEST_SUITE_END();
