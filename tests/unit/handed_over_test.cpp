// SPDX-License-Identifier: PostgreSQL
#include "proxy/handed_over.hpp"

#include <doctest/doctest.h>

using namespace rolegate::proxy;
using namespace std::chrono_literals;

namespace
{

role_history::memory some_history(std::size_t changes)
{
    role_history::memory m;
    for (std::size_t i = 1; i <= changes; ++i)
    {
        role_change c;
        c.id = i;
        c.cluster = "main";
        c.from = "pg-1";
        c.to = "pg \"2\"";
        c.began = std::chrono::system_clock::from_time_t(1790000000) + 5ms;
        const rolegate::health::time_point at{std::chrono::hours(i) + 7us};
        c.steps = {
            {"lock_lost", "pg-1", at, "said by etcd3"},
            {"sessions_cut", "pg-1", at + 1ms, "12"},
            {"out_of_recovery", "pg \"2\"", at + 2ms, ""}};
        m.changes.push_back(std::move(c));
    }
    m.last_id = changes + 3;
    m.holders = {{"main", "pg-2"}, {"other", ""}};
    m.primaries = {{"main", "pg-2"}, {"other", ""}};
    return m;
}

} // namespace

TEST_SUITE("what a process leaves to its successor")
{
    TEST_CASE("it arrives as it was")
    {
        const auto at = std::chrono::system_clock::from_time_t(1790000000);
        standing_orders orders;
        orders.set_member("main", "pg-1", {rolegate::health::operator_state::drain, {"dba", at}});
        orders.set_member("main", "pg \"2\"", {rolegate::health::operator_state::maint, {"", at}});
        orders.set_paused("write", true, {"dba", at});
        const handed_over h{4711, orders, {"/run/rolegate/.s.PGSQL.5432"}, some_history(3)};
        CHECK(handed_over_from(to_json(h)) == h);
        CHECK(handed_over_from(to_json(handed_over{})) == handed_over{});
        CHECK(standing_orders_from(to_json(orders)) == orders);
        CHECK(to_json(orders).find('\n') == std::string::npos);
    }

    TEST_CASE("a name or a reason that is not UTF-8 arrives as it was, and all the others with it")
    {
        const auto at = std::chrono::system_clock::from_time_t(1790000000);
        handed_over h;
        h.history = some_history(1);
        h.history.changes[0].to = "pg\xff";
        h.history.changes[0].steps[0].detail = "said by \xc3";
        h.history.holders["main"] = "\xff\xfe";
        h.orders.set_member("main", "pg-1", {rolegate::health::operator_state::drain, {"dba", at}});
        CHECK(handed_over_from(to_json(h)) == h);

        // Nor does a history that is not understood take the orders with it.
        const auto odd = handed_over_from(
            R"({"orders":{"paused":{"write":{}}},"history":{"version":1,"changes":7}})"
        );
        REQUIRE(odd);
        CHECK(odd->orders.paused.contains("write"));

        h.orders.set_member(
            "main", "pg\xff", {rolegate::health::operator_state::maint, {"\xe4", at}}
        );
        CHECK(standing_orders_from(to_json(h.orders)) == h.orders);
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

    TEST_CASE("of a history of another version nothing is taken, and of an odd one what is good")
    {
        handed_over h;
        h.history = some_history(2);
        auto text = to_json(h);
        const auto version = text.find(R"("version":1)");
        REQUIRE(version != text.npos);
        text.replace(version, 11, R"("version":2)");
        CHECK(handed_over_from(text)->history == role_history::memory{});

        const auto odd = handed_over_from(R"({"history":{"version":1,"last_id":-7,"changes":[7,
            {"id":9,"cluster":"main","steps":[{"step":"new_word","member":"a"},
                {"step":"sessions_cut","detail":"many"},{"step":"lock_lost","member":5}, 3]},
            {"id":10,"cluster":"main","steps":"none"}, {"steps":[{"step":"lock_lost"}]}],
            "holders":{"main":7},"primaries":[]}})");
        REQUIRE(odd);
        CHECK(odd->history.last_id == 0);
        REQUIRE(odd->history.changes.size() == 1);
        CHECK(odd->history.changes[0].id == 9);
        REQUIRE(odd->history.changes[0].steps.size() == 1);
        CHECK(odd->history.changes[0].steps[0].step == "lock_lost");
        CHECK(odd->history.holders.empty());
        CHECK(handed_over_from(R"({"history":[]})")->history == role_history::memory{});
    }

    TEST_CASE("not more is taken than is kept")
    {
        handed_over h;
        h.history = some_history(3 * role_history::max_changes);
        h.history.changes.back().steps.resize(1000, {"lock_lost", "a", {}, ""});
        const auto taken = handed_over_from(to_json(h))->history;
        CHECK(taken.changes.size() == role_history::max_changes);
        CHECK(taken.changes.back().id == 3 * role_history::max_changes);
        CHECK(taken.changes.back().steps.size() <= 64);
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
