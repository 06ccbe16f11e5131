// SPDX-License-Identifier: PostgreSQL
#include "proxy/recent.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using rolegate::proxy::recent;

TEST_CASE("what was noted is not new until its time has passed")
{
    const recent::time_point t0(1h);
    recent r(10s);

    CHECK(r.note(0, "a", t0));
    CHECK_FALSE(r.note(0, "a", t0 + 9s));
    CHECK(r.has(0, "a", t0 + 9s));
    CHECK_FALSE(r.has(0, "a", t0 + 10s)); // the second note did not prolong it
    CHECK(r.note(0, "a", t0 + 10s));
}

TEST_CASE("members of one name in two scopes are two, and nobody else is noted")
{
    const recent::time_point t0(1h);
    recent r(10s);
    CHECK(r.note(0, "a", t0));

    CHECK_FALSE(r.has(1, "a", t0));
    CHECK_FALSE(r.has(0, "b", t0));
    CHECK(r.note(1, "a", t0));
    CHECK(r.note(0, "b", t0));
}
