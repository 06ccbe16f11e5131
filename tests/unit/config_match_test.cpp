// SPDX-License-Identifier: PostgreSQL
//
// `match`, and what listeners that share a bind must have in common.
#include "config/load.hpp"
#include "config/print.hpp"
#include "config/sharing.hpp"

#include <doctest/doctest.h>

using namespace rolegate::config;
using conditions = std::vector<startup_condition>;

namespace
{

std::optional<std::string> no_environment(const std::string&)
{
    return std::nullopt;
}

const std::string clusters = "clusters: {main: {patroni: {members: [a:8008]}}, "
                             "etcd: {tcp: {members: [b:2379]}}}\nlisteners:\n";

// Lines from 3 on; each "NAME: KEYS", with bind, cluster and role unless they are given.
std::string with_listeners(const std::vector<std::pair<std::string, std::string>>& listeners)
{
    std::string out = clusters;
    for (const auto& [name, keys] : listeners)
    {
        const bool other = keys.find("cluster:") != std::string::npos;
        out += "  " + name + ": {bind: '*:5432', " +
               (other ? "" : "cluster: main, role: primary, ") + keys + "}\n";
    }
    return out;
}

std::string problems_in(const std::string& yaml)
{
    std::string out;
    for (const problem& p : load_text(yaml, "f", no_environment).problems)
        out += to_string(p) + "\n";
    return out;
}

std::string problems_of_match(const std::string& match)
{
    return problems_in(with_listeners({{"a", "match: " + match}}));
}

// The first problem, without its place.
std::string first_text(const std::vector<std::pair<std::string, std::string>>& listeners)
{
    const auto problems = load_text(with_listeners(listeners), "f", no_environment).problems;
    return problems.empty() ? "" : problems.front().text;
}

} // namespace

TEST_SUITE_BEGIN("config/match");

TEST_CASE("words and lists are read, in their order")
{
    const auto yaml = with_listeners(
        {{"a", "match: {database: [orders, 'report_*'], user: app, application_name: '*'}"},
         {"b", "match: {database: x}"},
         {"c", ""}}
    );
    CHECK(problems_in(yaml) == "");
    const auto loaded = load_text(yaml, "f", no_environment).value;
    CHECK(
        loaded.listeners.at(0).match ==
        conditions{
            {"database", {"orders", "report_*"}}, {"user", {"app"}}, {"application_name", {"*"}}}
    );
    CHECK(loaded.listeners.at(1).match == conditions{{"database", {"x"}}});
    CHECK(loaded.listeners.at(2).match.empty());

    const auto printed = print(loaded);
    CHECK(printed.find("    match:\n      database: [\"orders\", \"report_*\"]\n") != printed.npos);
    CHECK(printed.find("    # match: every client\n") != printed.npos);
    CHECK(load_text(printed, "printed", no_environment).value == loaded);
}

TEST_CASE("what says nothing or too much is refused")
{
    CHECK(
        problems_of_match("{}") == "f:3:60: expected parameters such as {database: app}, got none\n"
    );
    CHECK(
        problems_of_match("{database: ''}") ==
        "f:3:71: expected a word such as app, or a list such as [app, 'report_*'], got nothing\n"
    );
    CHECK(problems_of_match("{database: []}") == "f:3:71: an empty list would match nobody\n");
    CHECK(problems_of_match("{database: [a, a]}") == "f:3:75: duplicate 'a'\n");
    CHECK(
        problems_of_match("{database: 'a*b'}") ==
        "f:3:71: '*' may only stand at the end, got 'a*b'\n"
    );
    CHECK(
        problems_of_match("{user: a, user: b}") ==
        "f:3:70: duplicate parameter 'user', first on line 3\n"
    );
    CHECK(problems_of_match("app") == "f:3:60: expected a map, got 'app'\n");
}

TEST_CASE("listeners that share a bind are one group, in their order")
{
    const auto loaded = load_text(
        with_listeners({{"a", "match: {user: a}"}, {"b", "match: {user: b}"}, {"c", ""}}) +
            "  d: {bind: '*:5433', cluster: main, role: primary}\n",
        "f",
        no_environment
    );
    CHECK(loaded.problems.empty());
    CHECK(groups_of(loaded.value.listeners) == listener_groups{{0, 1, 2}, {3}});
}

TEST_CASE("one that is never reached is named")
{
    CHECK(
        problems_in(with_listeners({{"a", ""}, {"b", "match: {user: b}"}})) ==
        "f:4:53: listener 'b' is never reached: 'a' before it has no 'match' and takes every "
        "client; the one without must be the last\n"
    );
    CHECK(
        first_text({{"a", "match: {user: a}"}, {"b", ""}, {"c", ""}}) ==
        "listener 'c' is never reached: 'b' before it has no 'match' and takes every client; the "
        "one without must be the last"
    );
    CHECK(
        first_text({{"a", "match: {user: a}"}, {"b", "match: {user: a}"}}) ==
        "listener 'b' is never reached: 'a' before it has the same 'match'"
    );
}

TEST_CASE("without match two listeners cannot have one bind")
{
    CHECK(
        first_text({{"a", ""}, {"b", ""}}) ==
        "listener 'b' cannot bind '*:5432': listener 'a' binds '*:5432'"
    );
    // Nor may a part of the binds be shared.
    CHECK(
        problems_in(
            with_listeners({{"a", "match: {user: a}"}}) +
            "  b: {bind: ['*:5432', '*:5433'], cluster: main, role: primary}\n"
        ) == "f:4:14: listener 'b' cannot bind '*:5432': listener 'a' binds '*:5432'\n"
    );
}

TEST_CASE("what counts before the first packet is the same in all")
{
    for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
             {"tls", "{mode: terminate, cert: c, key: k}"},
             {"allow", "[10.0.0.0/8]"},
             {"accept_proxy", "[10.0.0.0/8]"},
             {"handshakes", "{max: 10}"},
             {"keepalive", "{idle: 60s}"},
             {"tcp_user_timeout", "10s"},
             {"withdraw_after", "0"}})
    {
        CAPTURE(key);
        CHECK(
            first_text({{"a", "match: {user: a}"}, {"b", key + ": " + value}}) ==
            "'" + key +
                "' must be the same as that of listener 'a', which has the same 'bind': it counts "
                "before a client is known"
        );
    }
    CHECK(
        problems_in(with_listeners({{"a", "match: {user: a}"}, {"b", "timeouts: {handshake: 1s}"}})
        ) ==
        "f:4:75: 'timeouts.handshake' must be the same as that of listener 'a', which has the same "
        "'bind': it counts before a client is known\n"
    );
    // Only the ones that count later differ.
    CHECK(
        first_text(
            {{"a", "match: {user: a}"},
             {"b", "timeouts: {connect: 1s}, maxconn: 5, server_tls: {sslmode: require}"}}
        ) == ""
    );
}

TEST_CASE("what cannot be read has no match and shares no bind")
{
    CHECK(
        first_text({{"a", "cluster: etcd, match: {user: a}"}}) ==
        "'match' does not go with a cluster of kind 'tcp'"
    );
    CHECK(
        first_text({{"a", "match: {user: a}"}, {"b", "cluster: etcd"}}) ==
        "listener 'b' cannot share its 'bind': it leads to a cluster of kind 'tcp'"
    );
}

TEST_SUITE_END();
