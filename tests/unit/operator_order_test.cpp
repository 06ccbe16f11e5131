// SPDX-License-Identifier: PostgreSQL
//
// What an operator's order makes of the verdicts on a member.
#include "health/decide.hpp"
#include "proxy/operator_state.hpp"
#include "proxy/route.hpp"
#include "tests/support/evidence_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace rolegate::support;
using rolegate::config::listener_role;

namespace
{

// "a" holds the lock and is the primary, "b" and "c" are replicas.
story three_members()
{
    story s;
    s.lock("a").says("a", primary()).says("b", replica()).says("c", replica()).decide();
    return s;
}

void order(story& s, const char* member, operator_state state)
{
    s.rules.orders[member] = {state, "ordered by dba"};
    s.decide();
}

std::string text(const story& s, const char* member, std::size_t listener)
{
    const auto& g = s.believed.find(member)->grants[listener];
    return std::string(to_string(g.verdict)) + " " + g.rule;
}

} // namespace

TEST_SUITE_BEGIN("health/operator_order");

TEST_CASE("a member in drain or maintenance gets no new sessions, and its reason says who wants it")
{
    for (const auto state : {operator_state::drain, operator_state::maint})
    {
        auto s = three_members();
        const auto generation = s.believed.generation;
        REQUIRE(text(s, "b", 1).starts_with("open"));

        order(s, "b", state);

        CHECK(text(s, "b", 1) == "keep operator");
        CHECK(s.believed.find("b")->grants[1].reason == "ordered by dba");
        CHECK(text(s, "c", 1).starts_with("open"));
        CHECK(s.believed.generation == generation + 1);
        CHECK(s.believed.cause.find("b ordered by dba") != std::string::npos);
        CHECK(rolegate::proxy::must_leave(s.believed, "b") == (state == operator_state::maint));
        CHECK_FALSE(rolegate::proxy::must_leave(s.believed, "c"));

        s.rules.orders.clear();
        s.decide();
        CHECK(text(s, "b", 1).starts_with("open"));
        CHECK(s.believed.cause.find("b ready again") != std::string::npos);
    }
}

TEST_CASE("a primary in drain keeps its sessions, is still the primary, and takes no new clients")
{
    auto s = three_members();
    order(s, "a", operator_state::drain);

    CHECK(text(s, "a", 0) == "keep operator");
    REQUIRE(s.believed.primary());
    CHECK(s.believed.primary()->name == "a");
}

TEST_CASE("an order does not save who has lost the role")
{
    auto s = three_members();
    order(s, "a", operator_state::drain);

    s.lock("b").says("a", replica()).decide();

    CHECK(text(s, "a", 0).starts_with("closed"));
}

TEST_CASE("the primary stands in for replicas that an operator holds back, but not against an order"
)
{
    story s;
    s.rules.demands[1].wants.fallback_primary = true;
    s.lock("a").says("a", primary()).says("b", replica()).says("c", replica()).decide();
    REQUIRE(text(s, "a", 1) == "keep fallback-over");
    order(s, "b", operator_state::drain);
    CHECK(text(s, "a", 1) == "keep fallback-over");

    order(s, "c", operator_state::maint);
    CHECK(text(s, "a", 1) == "open fallback");

    order(s, "a", operator_state::drain);
    CHECK(text(s, "a", 1) == "keep operator");
}

TEST_CASE("standing orders tell each monitor its own, with who and when")
{
    using rolegate::proxy::ordered_by;
    using rolegate::proxy::standing_orders;
    const std::chrono::system_clock::time_point noon(std::chrono::seconds(1700000000));
    standing_orders all;

    all.set_member("main", "a", {operator_state::drain, {"dba", noon}});
    all.set_member("main", "b", {operator_state::maint, {"", noon}});
    all.set_member("other", "a", {operator_state::maint, {"", noon}});
    all.set_paused("write", true, {"dba", noon});

    const operator_orders expected{
        {"a", {operator_state::drain, "drained by dba at 2023-11-14 22:13:20 UTC"}},
        {"b", {operator_state::maint, "in maintenance, at 2023-11-14 22:13:20 UTC"}}};
    CHECK(all.orders_of("main") == expected);
    CHECK(all.orders_of("nobody").empty());

    all.set_member("main", "a", {operator_state::ready, {"dba", noon}});
    all.set_member("main", "b", {operator_state::ready, {"dba", noon}});
    all.set_member("other", "a", {operator_state::ready, {"dba", noon}});
    all.set_paused("write", false, {"dba", noon});
    CHECK(all == standing_orders{});
}

TEST_SUITE_END();
