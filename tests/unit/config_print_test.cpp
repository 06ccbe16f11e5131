// SPDX-License-Identifier: PostgreSQL
#include "config/print.hpp"

#include "config/load.hpp"

#include <doctest/doctest.h>

using namespace rolegate::config;
using namespace std::chrono_literals;

namespace
{

std::optional<std::string> no_environment(const std::string&)
{
    return std::nullopt;
}

settings small_settings()
{
    settings s;
    cluster_settings cluster;
    cluster.name = "main";
    cluster.patroni.members = {{"10.0.0.1", 8008}, {"::1", 8008}};
    s.clusters.push_back(cluster);
    listener_settings listener;
    listener.name = "write";
    listener.bind = {{"*", 5432}, {"::", 5432}};
    listener.cluster = "main";
    s.listeners.push_back(listener);
    return s;
}

void check_round_trip(const settings& s)
{
    const std::string printed = print(s);
    CAPTURE(printed);
    const load_result loaded = load_text(printed, "printed", no_environment);
    for (const problem& p : loaded.problems)
        FAIL_CHECK(to_string(p));
    CHECK(loaded.value == s);
}

} // namespace

TEST_SUITE_BEGIN("config/print");

TEST_CASE("the effective configuration shows every default")
{
    CHECK(print(small_settings()) == R"(clusters:
  main:
    patroni:
      members: ["10.0.0.1:8008", "[::1]:8008"]
      scope: ""
      interval: 1s
      fast_interval: 50ms
      timeout: 2s
    # stale_after: the cluster's ttl, else 10s
    on_dcs_loss: rest
    on_stale: refuse_new
listeners:
  write:
    bind: ["*:5432", "[::]:5432"]
    cluster: main
    role: primary
    balance: roundrobin
    queue:
      timeout: 10s
      max: 1000
    timeouts:
      handshake: 15s
      connect: 4s
      client_fin: 30s
    keepalive:
      idle: 15s
      interval: 5s
      count: 3
    tcp_user_timeout: 30s
    tls:
      mode: passthrough
admin:
  bind: "127.0.0.1:7000"
log:
  level: info
  format: text
workers: auto
shutdown_timeout: 30s
)");
}

TEST_CASE("what is printed is read back as it was")
{
    check_round_trip(small_settings());

    settings s = small_settings();
    s.clusters[0].patroni.scope = "my-ha-cluster";
    s.clusters[0].patroni.interval = 1500ms;
    s.clusters[0].patroni.fast_interval = 75ms;
    s.clusters[0].patroni.timeout = 90s;
    s.clusters[0].patroni.tls = client_tls{"/ca", "/cert", "/key", false};
    s.clusters[0].stale_after = 61s;
    s.clusters.push_back(s.clusters[0]);
    s.clusters[1].name = "other";
    s.clusters[1].patroni.tls = client_tls{};
    s.listeners.push_back(s.listeners[0]);
    s.listeners[1].name = "read";
    s.listeners[1].bind = {{"127.0.0.1", 0}};
    s.listeners[1].cluster = "other";
    s.listeners[1].role = listener_role::replica;
    s.listeners[1].queue = {3s, 0};
    s.listeners[1].timeouts = {1s, 2ms, 3h};
    s.listeners[1].keepalive = {60s, 7s, 9};
    s.listeners[1].tcp_user_timeout = 1ms;
    s.admin.bind = {"::1", 7001};
    s.workers = 5;
    s.shutdown_timeout = 0ms;
    check_round_trip(s);

    for (const log_level level :
         {log_level::debug, log_level::info, log_level::warning, log_level::error})
    {
        s.level = level;
        check_round_trip(s);
    }
}

TEST_CASE("text that means something to YAML or to the expansion survives")
{
    const std::string texts[] = {
        "${HOME}",     "$$",         "$",        "a\"b\\c",  "line\nbreak\ttab\x01\x7f",
        "# comment",   "a: b",       "*alias",   "&anchor",  "!tag",
        "null",        "~",          " padded ", "'quoted'", "\xc3\xbcmlaut",
        "C:\\pem\\ca", "%directive", "- item",   "[list]",   "{map}",
    };

    for (const std::string& text : texts)
    {
        CAPTURE(text);
        settings s = small_settings();
        s.clusters[0].patroni.scope = text;
        s.clusters[0].patroni.tls = client_tls{text, text, text, true};
        s.clusters[0].sql = sql_settings{text, text, "", text, "prefer", text, text, text};
        check_round_trip(s);
    }
}

TEST_CASE("names that look like YAML's own words survive")
{
    for (const std::string name :
         {"null", "Null", "true", "NO", "y", "1", "-", "---", "...", "1e3", "a.b", "A-1_"})
    {
        CAPTURE(name);
        settings s = small_settings();
        s.clusters[0].name = name;
        s.listeners[0].name = name;
        s.listeners[0].cluster = name;
        check_round_trip(s);
    }
}

TEST_SUITE_END();
