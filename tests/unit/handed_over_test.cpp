// SPDX-License-Identifier: PostgreSQL
#include "proxy/handed_over.hpp"

#include <doctest/doctest.h>

using namespace rolegate::proxy;

TEST_SUITE("what a process leaves to its successor")
{
    TEST_CASE("it arrives as it was")
    {
        const handed_over h{4711, {"write", "read"}, {"/run/rolegate/.s.PGSQL.5432"}};
        CHECK(handed_over_from(to_json(h)) == h);
        CHECK(handed_over_from(to_json({})) == handed_over{});
    }

    TEST_CASE("another version knows less, or more")
    {
        CHECK(handed_over_from("{}") == handed_over{});
        const auto h = handed_over_from(R"({"paused":["write"],"pid":"x","new":{"a":[1]}})");
        REQUIRE(h);
        CHECK(*h == handed_over{0, {"write"}, {}});
        CHECK(handed_over_from(R"({"paused":[1,"read",null]})")->paused.size() == 1);
        CHECK(handed_over_from(R"({"paused":"write"})")->paused.empty());
    }

    TEST_CASE("what cannot be read is nothing")
    {
        for (const char* text : {"", "[]", "{", "null", R"({"paused":)"})
            CHECK_FALSE(handed_over_from(text));
    }
}
