// SPDX-License-Identifier: PostgreSQL
#include "proxy/handed_over.hpp"

#include <doctest/doctest.h>

using namespace rolegate::proxy;

TEST_SUITE("what a process leaves to its successor")
{
    TEST_CASE("it arrives as it was")
    {
        const auto at = std::chrono::system_clock::from_time_t(1790000000);
        standing_orders orders;
        orders.set_member("main", "pg-1", {rolegate::health::operator_state::drain, {"dba", at}});
        orders.set_member("main", "pg \"2\"", {rolegate::health::operator_state::maint, {"", at}});
        orders.set_paused("write", true, {"dba", at});
        const handed_over h{4711, orders, {"/run/rolegate/.s.PGSQL.5432"}};
        CHECK(handed_over_from(to_json(h)) == h);
        CHECK(handed_over_from(to_json(handed_over{})) == handed_over{});
        CHECK(standing_orders_from(to_json(orders)) == orders);
        CHECK(to_json(orders).find('\n') == std::string::npos);
    }

    TEST_CASE("another version knows less, or more")
    {
        CHECK(handed_over_from("{}") == handed_over{});
        const auto h = handed_over_from(
            R"({"orders":{"paused":{"write":{},"read":7},"new":1},"pid":"x","new":{"a":[1]}})"
        );
        REQUIRE(h);
        CHECK(h->pid == 0);
        CHECK(h->orders.paused.size() == 1);
        CHECK(h->orders.paused.contains("write"));
        const auto odd = standing_orders_from(
            R"({"members":{"main":{"a":{"state":"asleep"},"b":{"state":"drain"},"c":1},"x":[]}})"
        );
        REQUIRE(odd);
        REQUIRE(odd->members.size() == 1);
        CHECK(odd->members.at("main").size() == 1);
        CHECK(odd->members.at("main").contains("b"));
        CHECK(handed_over_from(R"({"orders":"write"})")->orders == standing_orders{});
    }

    TEST_CASE("what cannot be read is nothing")
    {
        for (const char* text : {"", "[]", "{", "null", R"({"orders":)"})
        {
            CHECK_FALSE(handed_over_from(text));
            CHECK_FALSE(standing_orders_from(text));
        }
    }
}
