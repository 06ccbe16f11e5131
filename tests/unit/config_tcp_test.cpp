// SPDX-License-Identifier: PostgreSQL
//
// Clusters of any TCP service, their checks, and the listeners in front of them.
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

const std::string listener = "listeners: {etcd: {bind: '*:2379', cluster: etcd}}\n";
const std::string cluster = "clusters: {etcd: {tcp: {members: [a:2379]}}}\n";

// Line 2 inside `tcp`, at column 1.
std::string with_tcp(const std::string& line)
{
    return "clusters: {etcd: {tcp: {members: [a:2379],\n" + line + "}}}\n" + listener;
}

// Line 2 beside `tcp`, at column 1.
std::string with_cluster(const std::string& line)
{
    return "clusters: {etcd: {tcp: {members: [a:2379]},\n" + line + "}}\n" + listener;
}

// Line 3 inside the listener, at column 1.
std::string with_listener(const std::string& line)
{
    return cluster + "listeners: {etcd: {bind: '*:2379', cluster: etcd,\n" + line + "}}\n";
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

tcp_settings load_tcp(const std::string& yaml)
{
    return load_sound(yaml).clusters.at(0).tcp.value();
}

struct row
{
    std::string yaml;
    std::string problem;
};

void check_problems(const std::vector<row>& rows)
{
    for (const row& r : rows)
    {
        CAPTURE(r.yaml);
        CHECK(problems_in(r.yaml) == r.problem);
    }
}

} // namespace

TEST_SUITE_BEGIN("config/tcp");

TEST_CASE("members alone are enough, and everything else is as in HAProxy")
{
    const tcp_settings tcp = load_tcp(cluster + listener);
    CHECK(tcp.members == std::vector<host_port>{{"a", 2379}});
    CHECK(tcp.check == check_settings{});
    CHECK(tcp.check.inter == 2s);
    CHECK(tcp.check.rise == 2);
    CHECK(tcp.check.fall == 3);
    CHECK_FALSE(tcp.check.http.has_value());
}

TEST_CASE("every key of the checks is read")
{
    const check_settings all =
        load_tcp(
            with_tcp("inter: 10s, fastinter: 1s, downinter: 5s, rise: 4, fall: 1000, timeout: 3s")
        )
            .check;
    CHECK(all.inter == 10s);
    CHECK(all.fastinter == 1s);
    CHECK(all.downinter == 5s);
    CHECK(all.rise == 4);
    CHECK(all.fall == 1000);
    CHECK(all.timeout == 3s);

    const auto http = load_tcp(with_cluster("check: {http: {method: GET, uri: /health, port: 8008, "
                                            "expect_status: 204}}"))
                          .check.http;
    CHECK(http == http_check_settings{"GET", "/health", 8008, 204});
    CHECK(load_tcp(with_cluster("check: {http: {}}")).check.http == http_check_settings{});
}

TEST_CASE("member options are for members that are there")
{
    const settings s =
        load_sound(with_cluster("default_member: {weight: 100}, member_options: {'a:2379': {}}"));
    CHECK(s.clusters[0].options_of("a:2379").weight == 100);
    check_problems({
        {with_cluster("member_options: {'b:2379': {}}"),
         "f:2:18: 'b:2379' is none of the members of 'tcp', which are named HOST:PORT\n"},
    });
}

TEST_CASE("a listener needs no role and may be told that it has none")
{
    CHECK(load_sound(cluster + listener).listeners[0].role == listener_role::any);
    CHECK(load_sound(with_listener("role: any")).listeners[0].role == listener_role::any);
    // Whatever stands first in the file.
    CHECK(load_sound(listener + cluster).listeners[0].role == listener_role::any);
    // Another listener still needs one.
    check_problems({
        {"clusters:\n  etcd: {tcp: {members: [a:1]}}\n  main: {patroni: {members: [b:1]}}\n"
         "listeners:\n  one: {bind: '*:1', cluster: etcd}\n  two: {bind: '*:2', cluster: main}\n",
         "f:6:3: missing key 'role'\n"},
        {cluster + "listeners: {x: {bind: '*:1', cluster: ectd}}\n",
         "f:2:13: missing key 'role'\n"
         "f:2:39: unknown cluster 'ectd', did you mean 'etcd'?\n"},
    });
}

TEST_CASE("what speaks of PostgreSQL has no place in front of any protocol")
{
    const std::string tail = " a cluster of kind 'tcp'\n";
    check_problems({
        {with_listener("role: primary"),
         "f:3:7: only 'role: any', which may be left out, goes with" + tail},
        {with_listener("role: replica"),
         "f:3:7: only 'role: any', which may be left out, goes with" + tail},
        {with_listener("tls: {mode: terminate, cert: /c, key: /k}"),
         "f:3:13: 'mode: terminate' does not go with" + tail},
        {with_listener("server_tls: {sslmode: require}"),
         "f:3:23: 'server_tls' does not go with" + tail},
        {with_listener("application_name_add_host: true"),
         "f:3:28: 'application_name_add_host' does not go with" + tail},
    });
    load_sound(with_listener("tls: {mode: passthrough}, server_tls: {sslmode: disable}"));
    load_sound(with_listener(
        "allow: [10.0.0.0/8], accept_proxy: [10.0.0.0/8], maxconn: 5, balance: leastconn"
    ));
}

TEST_CASE("a cluster is of one kind")
{
    const std::string meaning =
        " has no meaning beside 'tcp', whose members are checked from here\n";
    check_problems({
        {with_cluster("patroni: {members: [b:8008]}"),
         "f:2:1: a cluster is of one kind: 'patroni' cannot be beside 'tcp'\n"},
        {with_cluster("stale_after: 30s"), "f:2:1: 'stale_after'" + meaning},
        {with_cluster("on_dcs_loss: rest"), "f:2:1: 'on_dcs_loss'" + meaning},
        {with_cluster("on_stale: refuse_new"), "f:2:1: 'on_stale'" + meaning},
        {with_cluster("sql: {user: u}"), "f:2:1: 'sql'" + meaning},
        {with_cluster("dcs: {scope: s, etcd3: {hosts: [e:1]}}"), "f:2:1: 'dcs'" + meaning},
    });
}

TEST_CASE("beside patroni and postgres a check has its own pace, and needs a port")
{
    const auto with_check = [](const std::string& kind, const std::string& check)
    {
        return "clusters: {main: {" + kind + ",\ncheck: " + check +
               "}}\nlisteners: {w: {bind: '*:1', cluster: main, role: primary}}\n";
    };
    for (const std::string kind :
         {"patroni: {members: [a:1]}", "postgres: {members: [a:1], user: u}"})
    {
        CAPTURE(kind);
        const auto yaml = with_check(
            kind,
            "{http: {method: GET, uri: /ok, port: 9000, expect_status: 204}, inter: 5s, fastinter: "
            "1s, downinter: 9s, rise: 4, fall: 7, timeout: 3s}"
        );
        CHECK(problems_in(yaml) == "");
        const auto cluster = load_text(yaml, "f", no_environment).value.clusters.at(0);
        CHECK(
            cluster.check ==
            check_settings{5s, 1s, 9s, 4, 7, 3s, http_check_settings{"GET", "/ok", 9000, 204}}
        );
        CHECK_FALSE(cluster.tcp);
        check_problems({
            {with_check(kind, "{http: {}}"), "f:2:9: missing key 'port'\n"},
            {with_check(kind, "{rise: 2}"), "f:2:1: missing key 'http'\n"},
            {with_check(kind, "{http: {port: 1}, raise: 2}"),
             "f:2:26: unknown key 'raise', did you mean 'rise'?\n"},
        });
    }
    // Beside `tcp` the pace stands there.
    check_problems({
        {with_cluster("check: {http: {}, rise: 2}"), "f:2:19: unknown key 'rise'\n"},
    });
}

TEST_CASE("values that make no sense are refused where they stand")
{
    const std::string path = "f:2:21: expected a path such as /health, got ";
    const std::string method = "f:2:24: expected a method such as OPTIONS, GET or HEAD, got ";
    check_problems({
        {"clusters: {etcd: {tcp: {}}}\n" + listener, "f:1:19: missing key 'members'\n"},
        {"clusters: {etcd: {tcp: {members: []}}}\n" + listener,
         "f:1:25: at least one member is needed\n"},
        {"clusters: {etcd: {tcp: {members: [a:1, a:2, a:1]}}}\n" + listener,
         "f:1:45: duplicate member 'a:1'\n"},
        {"clusters: {etcd: {tcp: x}}\n" + listener, "f:1:24: expected a map, got 'x'\n"},
        {with_tcp("inter: 9ms"), "f:2:8: 'inter' must be between 10ms and 1h, got '9ms'\n"},
        {with_tcp("downinter: 2h"), "f:2:12: 'downinter' must be between 10ms and 1h, got '2h'\n"},
        {with_tcp("timeout: 0"), "f:2:10: 'timeout' must be between 1ms and 1h, got '0'\n"},
        {with_tcp("rise: 0"), "f:2:7: 'rise' must be between 1 and 1000, got '0'\n"},
        {with_tcp("fall: many"), "f:2:7: expected a whole number for 'fall', got 'many'\n"},
        {with_tcp("fastinter: 3s"), "f:2:12: 'fastinter' (3s) is longer than 'inter' (2s)\n"},
        {with_cluster("check: {}"), "f:2:1: missing key 'http'\n"},
        {with_cluster("check: {http: {uri: health}}"), path + "'health'\n"},
        {with_cluster("check: {http: {uri: '/a b'}}"), path + "'/a b'\n"},
        {with_cluster("check: {http: {uri: \"/a\\r\\nX: y\"}}"), path + "'/a??X: y'\n"},
        {with_cluster("check: {http: {method: get}}"), method + "'get'\n"},
        {with_cluster("check: {http: {method: ''}}"), method + "''\n"},
        {with_cluster("check: {http: {port: 65536}}"),
         "f:2:22: 'port' must be between 1 and 65535, got '65536'\n"},
        {with_cluster("check: {http: {expect_status: 99}}"),
         "f:2:31: 'expect_status' must be between 100 and 599, got '99'\n"},
    });
}

TEST_CASE("what is printed is read back as it was")
{
    for (const std::string& yaml :
         {cluster + listener,
          with_tcp("inter: 10s, fastinter: 1s, downinter: 5s, rise: 4, fall: 9, timeout: 3s"),
          with_cluster("check: {http: {}}, member_options: {'a:2379': {weight: 7}}"),
          with_cluster("check: {http: {method: HEAD, uri: '*', port: 1, expect_status: 500}}")})
    {
        const settings s = load_sound(yaml);
        const std::string printed = print(s);
        CAPTURE(printed);
        CHECK(load_sound(printed) == s);
    }
    CHECK(print(load_sound(cluster + listener)).starts_with(R"(clusters:
  etcd:
    tcp:
      members: ["a:2379"]
      inter: 2s
      # fastinter: as inter
      # downinter: as inter
      rise: 2
      fall: 3
      # timeout: as inter
    default_member:
)"));
}

TEST_SUITE_END();
