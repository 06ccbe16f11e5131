// SPDX-License-Identifier: PostgreSQL
//
// What a listener may demand of members, as it is written, refused and printed.
#include "config/load.hpp"
#include "config/print.hpp"

#include <doctest/doctest.h>

using namespace rolegate::config;
using namespace std::chrono_literals;

namespace
{

load_result loaded(const std::string& role, const std::string& keys)
{
    const auto yaml = "clusters: {main: {patroni: {members: [a:8008]}}}\n"
                      "listeners:\n  l:\n    bind: '*:1'\n    cluster: main\n    role: " +
                      role + "\n" + keys;
    return load_text(yaml, "f", [](const std::string&) { return std::nullopt; });
}

member_demand demand_in(const std::string& keys, const std::string& role = "replica")
{
    const auto result = loaded(role, keys);
    for (const auto& p : result.problems)
        FAIL_CHECK(to_string(p));
    REQUIRE(result.value.listeners.size() == 1);
    return result.value.listeners[0];
}

std::string problems_in(const std::string& keys, const std::string& role = "replica")
{
    std::string out;
    for (const auto& p : loaded(role, keys).problems)
        out += to_string(p) + "\n";
    return out;
}

} // namespace

TEST_SUITE_BEGIN("config/demand");

TEST_CASE("a limit is one value or two; half of it is enough to come back")
{
    using bytes = lag_limit<std::int64_t>;
    using time = lag_limit<milliseconds>;
    CHECK_FALSE(demand_in("").lag);
    CHECK(demand_in("").lag_dwell == 10s);
    CHECK(demand_in("    lag: 10MB\n").lag == bytes{10 << 20, 5 << 20});
    CHECK(demand_in("    lag: {leave: 10MB, enter: 1MB}\n").lag == bytes{10 << 20, 1 << 20});
    CHECK(demand_in("    lag: {leave: 10MB}\n").lag == bytes{10 << 20, 5 << 20});
    CHECK(demand_in("    lag: {leave: 1MB, enter: 0}\n").lag == bytes{1 << 20, 0});
    CHECK(demand_in("    lag_time: 5s\n").lag_time == time{5s, 2500ms});
    CHECK(demand_in("    lag_time: {leave: 5s, enter: 5s}\n").lag_time == time{5s, 5s});
    CHECK(demand_in("    lag_dwell: 0\n").lag_dwell == 0s);
}

TEST_CASE("rebalance is off or a share, where there are shares")
{
    const auto rebalance_in = [](const std::string& keys)
    { return loaded("replica", keys).value.listeners.at(0).rebalance; };
    CHECK(rebalance_in("") == 0);
    CHECK(rebalance_in("    rebalance: off\n") == 0);
    CHECK(rebalance_in("    rebalance: 5%\n") == 5);
    CHECK(rebalance_in("    rebalance: 100%\n") == 100);
    for (const std::string bad : {"5", "0%", "101%", "on", "5 %", "-5%", "5%%"})
    {
        CAPTURE(bad);
        const auto problems = problems_in("    rebalance: " + bad + "\n");
        CHECK(
            problems.find("expected off or a share such as 5% (1% to 100%), got '" + bad + "'\n") !=
            problems.npos
        );
    }
    CHECK(
        problems_in("    rebalance: 5%\n", "primary")
            .find("'rebalance' means nothing beside 'role: primary': there is one such member") !=
        std::string::npos
    );
    for (const std::string how : {"first", "source"})
        CHECK(
            problems_in("    rebalance: 5%\n    balance: " + how + "\n")
                .find(
                    "'rebalance' does not go with 'balance: " + how +
                    "', which shares nothing by weight"
                ) != std::string::npos
        );
}

TEST_CASE("tags, preference, replication state and fallback")
{
    const auto d = demand_in("    tags: {zone: a, gpu: true, rack: 7}\n"
                             "    prefer: {tags: {zone: b}}\n"
                             "    replication_state: in archive recovery\n"
                             "    fallback: primary\n");
    CHECK(d.tags == tag_map{{"zone", "a"}, {"gpu", "true"}, {"rack", "7"}});
    CHECK(d.prefer_tags == tag_map{{"zone", "b"}});
    CHECK(d.replication_state == "in archive recovery");
    CHECK(d.fallback_primary);
}

TEST_CASE("what cannot be meant is refused where it stands")
{
    const struct
    {
        const char* keys;
        const char* problem;
    } rows[] = {
        {"    lag: much\n", "f:7:10: expected a size such as 512B, 64kB or 1MB, got 'much'\n"},
        {"    lag: 0\n", "f:7:10: 'lag' must be between 1B and 1024TB, got '0'\n"},
        {"    lag: {enter: 1MB}\n", "f:7:5: missing key 'leave'\n"},
        {"    lag: {leave: 1MB, enter: 2MB}\n",
         "f:7:30: 'enter' (2MB) must not be more than 'leave' (1MB)\n"},
        {"    lag: {leave: 1MB, entr: 2MB}\n",
         "f:7:23: unknown key 'entr', did you mean 'enter'?\n"},
        {"    lag_time: {leave: 1s, enter: 2s}\n",
         "f:7:34: 'enter' (2s) must not be more than 'leave' (1s)\n"},
        {"    lag_tim: 1s\n", "f:7:5: unknown key 'lag_tim', did you mean 'lag_time'?\n"},
        {"    lag_dwell: 2h\n", "f:7:16: 'lag_dwell' must be between 0 and 1h, got '2h'\n"},
        {"    tags: {}\n", "f:7:11: expected tags such as {zone: a}, got none\n"},
        {"    tags: zone\n", "f:7:11: expected a map, got 'zone'\n"},
        {"    prefer: {zone: a}\n", "f:7:5: missing key 'tags'\nf:7:14: unknown key 'zone'\n"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.keys);
        CHECK(problems_in(row.keys) == row.problem);
    }
    CHECK(problems_in("    replication_state: strea\n").find("streaming") != std::string::npos);
    CHECK(problems_in("    fallback: replica\n").find("expected primary") != std::string::npos);
    CHECK(problems_in("", "replicas").find("did you mean 'replica'?") != std::string::npos);
}

TEST_CASE("what contradicts the role is refused")
{
    for (const char* role : {"primary", "leader", "standby-leader"})
        for (const char* key :
             {"lag: 1MB",
              "lag_time: 1s",
              "replication_state: streaming",
              "tags: {zone: a}",
              "prefer: {tags: {zone: a}}",
              "fallback: primary"})
        {
            CAPTURE(role);
            CAPTURE(key);
            CHECK(problems_in("    " + std::string(key) + "\n", role).starts_with("f:7:"));
        }
    for (const char* role : {"read-only", "read-only-sync", "read-only-quorum", "any"})
    {
        CAPTURE(role);
        CHECK(
            problems_in("    fallback: primary\n", role) ==
            "f:7:15: 'fallback' contradicts 'role: " + std::string(role) +
                "', which leads to the primary anyway\n"
        );
        CHECK(problems_in("    lag: 1MB\n    tags: {a: b}\n", role).empty());
    }
    for (const char* role : {"replica", "sync", "async", "quorum"})
        CHECK(problems_in("    fallback: primary\n", role).empty());
}

TEST_CASE("what is printed is read back as it was")
{
    const auto result = loaded(
        "sync",
        "    lag: 10MB\n    lag_time: {leave: 3s, enter: 0}\n    lag_dwell: 1m\n"
        "    replication_state: in archive recovery\n    tags: {zone: 'a: b'}\n"
        "    prefer: {tags: {'odd key': ''}}\n    fallback: primary\n"
    );
    REQUIRE(result.problems.empty());
    const auto again =
        load_text(print(result.value), "p", [](const std::string&) { return std::nullopt; });
    for (const auto& p : again.problems)
        FAIL_CHECK(to_string(p));
    CHECK(again.value == result.value);
}

TEST_SUITE_END();
