// SPDX-License-Identifier: PostgreSQL
//
// Clusters of plain streaming replication, `postgres`: what good files give, what is said about bad
// ones, and what is printed.
#include "config/load.hpp"
#include "config/print.hpp"

#include <doctest/doctest.h>

using namespace rolegate::config;
using namespace std::chrono_literals;

namespace
{

std::optional<std::string> no_environment(const std::string&)
{
    return std::nullopt;
}

const std::string listeners =
    "listeners: {write: {bind: '*:5432', cluster: main, role: primary}}\n";

// Line 2 inside the cluster, at column 1.
std::string with_cluster(const std::string& line)
{
    return "clusters: {main: {\n" + line + "}}\n" + listeners;
}

// Line 3 inside `postgres` with what must be there, at column 1.
std::string with_postgres(const std::string& line)
{
    return with_cluster("postgres: {members: [batman:5432, robin:5432], user: u,\n" + line + "}");
}

std::string problems_in(const std::string& yaml)
{
    std::string out;
    for (const problem& p : load_text(yaml, "f", no_environment).problems)
        out += to_string(p) + "\n";
    return out;
}

settings load_sound(const std::string& yaml)
{
    CAPTURE(yaml);
    REQUIRE(problems_in(yaml) == "");
    return load_text(yaml, "f", no_environment).value;
}

} // namespace

TEST_SUITE_BEGIN("config/postgres");

TEST_CASE("members and a user are enough")
{
    const auto c = load_sound(with_postgres("")).clusters.at(0);
    REQUIRE(c.postgres);
    CHECK(c.postgres->members == std::vector<host_port>{{"batman", 5432}, {"robin", 5432}});
    CHECK(c.postgres->sql.user == "u");
    CHECK(c.postgres->sql.dbname == "postgres");
    CHECK(c.postgres->interval == 1s);
    CHECK(c.postgres->timeout == 2s);
    CHECK(c.postgres->rise == 1);
    CHECK(c.postgres->fall == 2);
    CHECK(c.patroni == patroni_settings{});
    CHECK(!c.sql);
}

TEST_CASE("every key is read")
{
    const auto all = load_sound(with_postgres("dbname: d, passfile: /p, sslmode: verify-full, "
                                              "sslrootcert: /r, sslcert: /c, sslkey: /k, "
                                              "interval: 500ms, timeout: 1s, rise: 2, fall: 3"))
                         .clusters.at(0)
                         .postgres.value();
    CHECK(all.sql == sql_settings{"u", "d", "", "/p", "verify-full", "/r", "/c", "/k"});
    CHECK(all.interval == 500ms);
    CHECK(all.timeout == 1s);
    CHECK(all.rise == 2);
    CHECK(all.fall == 3);

    const auto c =
        load_sound(with_cluster("postgres: {members: ['[::1]:5432'], user: u, password: s}, "
                                "stale_after: 5s, on_stale: shutdown_sessions, "
                                "member_options: {'[::1]:5432': {weight: 2}}"))
            .clusters.at(0);
    CHECK(c.postgres->members == std::vector<host_port>{{"::1", 5432}});
    CHECK(c.postgres->sql.password == "s");
    CHECK(c.stale_after == 5s);
    CHECK(c.on_stale == stale_action::shutdown_sessions);
    CHECK(c.options_of("[::1]:5432").weight == 2);
}

TEST_CASE("problems are shown where they stand")
{
    struct row
    {
        std::string yaml;
        std::string problem;
    };
    const row rows[] = {
        {with_cluster("postgres: x"), "f:2:11: expected a map, got 'x'\n"},
        {with_cluster("postgres: {}"), "f:2:1: missing key 'user'\nf:2:1: missing key 'members'\n"},
        {with_cluster("postgres: {user: u, members: []}"),
         "f:2:21: at least one member is needed\n"},
        {with_cluster("postgres: {user: u, members: [a]}"),
         "f:2:31: expected HOST:PORT such as 10.0.0.1:5432, got 'a'\n"},
        {with_cluster("postgres: {user: u, members: a:1}"),
         "f:2:30: expected a list such as [10.0.0.1:5432], got 'a:1'\n"},
        {with_cluster("postgres: {user: u, members: ['a:1', 'b:1', 'a:1']}"),
         "f:2:45: duplicate member 'a:1'\n"},
        {with_cluster("postgres: {members: ['a:1']}"), "f:2:1: missing key 'user'\n"},
        {with_postgres("usr: x"), "f:3:1: unknown key 'usr', did you mean 'user'?\n"},
        {with_postgres("interval: 5ms"),
         "f:3:11: 'interval' must be between 10ms and 1h, got '5ms'\n"},
        {with_postgres("timeout: 0"), "f:3:10: 'timeout' must be between 1ms and 1h, got '0'\n"},
        {with_postgres("rise: 0"), "f:3:7: 'rise' must be between 1 and 1000, got '0'\n"},
        {with_postgres("fall: x"), "f:3:7: expected a whole number for 'fall', got 'x'\n"},
        {with_postgres("password: p, passfile: /p"),
         "f:3:14: 'passfile' has no effect beside a password\n"},
    };
    for (const row& r : rows)
    {
        CAPTURE(r.yaml);
        CHECK(problems_in(r.yaml) == r.problem);
    }
}

TEST_CASE("what has no meaning beside it is refused")
{
    const std::string postgres = "postgres: {members: ['a:1'], user: u},\n";
    struct row
    {
        std::string line; // line 3
        std::string problem;
    };
    const row rows[] = {
        {"patroni: {members: ['a:8008']}",
         "f:3:1: a cluster is of one kind: 'patroni' cannot be beside 'postgres'\n"},
        {"dcs: {scope: a, etcd3: {host: e}}",
         "f:3:1: 'dcs' belongs to Patroni and has no meaning beside 'postgres'\n"},
        {"sql: {user: u}",
         "f:3:1: 'sql' belongs to Patroni and has no meaning beside 'postgres'\n"},
        {"on_dcs_loss: rest",
         "f:3:1: 'on_dcs_loss' belongs to Patroni and has no meaning beside 'postgres'\n"},
        {"stale_after: 1s", "f:3:14: 'stale_after' (1s) must be longer than 'interval' (1s)\n"},
    };
    for (const row& r : rows)
    {
        CAPTURE(r.line);
        CHECK(problems_in(with_cluster(postgres + r.line)) == r.problem);
    }
}

TEST_CASE("it is printed with every default, and without its password")
{
    const auto s = load_sound(with_postgres("password: s3cret"));
    const std::string printed = print(s);
    CHECK(printed.find(R"(  main:
    postgres:
      members: ["batman:5432", "robin:5432"]
      user: "u"
      dbname: "postgres"
      password: "*****"
      passfile: ""
      sslmode: prefer
      sslrootcert: ""
      sslcert: ""
      sslkey: ""
      interval: 1s
      timeout: 2s
      rise: 1
      fall: 2
    # stale_after: 10s
    on_stale: refuse_new
)") != std::string::npos);
    CHECK(printed.find("s3cret") == std::string::npos);

    auto open = s;
    open.clusters[0].postgres->sql.password.clear();
    const load_result again = load_text(print(open), "printed", no_environment);
    CHECK(again.problems.empty());
    CHECK(again.value == open);
}

TEST_CASE("what only Patroni tells is refused of a listener in front of it")
{
    const auto problems_of = [](const std::string& more)
    {
        return problems_in(
            "clusters: {main: {postgres: {members: [batman:5432], user: u}}}\n"
            "listeners: {read: {bind: '*:5433', cluster: main,\n" +
            more + "}}\n"
        );
    };
    for (const std::string role : {"primary", "replica", "read-only", "any"})
        CHECK(problems_of("role: " + role) == "");
    CHECK(problems_of("role: replica, lag: 10MB, lag_time: 5s, fallback: primary") == "");

    const std::string why = " is known of Patroni's clusters only\n";
    for (const std::string role : {"leader", "standby-leader", "sync", "async", "quorum"})
        CHECK(problems_of("role: " + role) == "f:3:7: 'role: " + role + "'" + why);
    CHECK(problems_of("role: replica,\ntags: {zone: a}") == "f:4:1: 'tags'" + why);
}

TEST_CASE("options of a member that is not listed would never be used")
{
    CHECK(problems_in(with_postgres("}, member_options: {'robin:5432': {weight: 2}")) == "");
    CHECK(
        problems_in(with_postgres("}, member_options: {robin: {weight: 2}")) ==
        "f:3:21: 'robin' is none of the members of 'postgres', which are named HOST:PORT\n"
    );
}

TEST_SUITE_END();
