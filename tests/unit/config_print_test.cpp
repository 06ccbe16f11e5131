// SPDX-License-Identifier: PostgreSQL
#include "config/print.hpp"

#include "config/load.hpp"
#include "config/words.hpp"

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
      address_map: {}
      proxy_url: false
    # stale_after: the cluster's ttl, else 10s
    on_dcs_loss: rest
    on_stale: refuse_new
    default_member:
      weight: 1
      # maxconn: any number
      maxqueue: 0
      slowstart: 0
      backup: false
    member_options: {}
listeners:
  write:
    bind: ["*:5432", "[::]:5432"]
    # match: every client
    cluster: main
    role: primary
    balance: roundrobin
    queue:
      timeout: 10s
      max: 1000
    # maxconn: any number
    handshakes:
      max: 4000
      per_address: 1000
    timeouts:
      handshake: 15s
      connect: 4s
      client: 0
      server: 0
      client_fin: 30s
    keepalive:
      idle: 15s
      interval: 5s
      count: 3
    tcp_user_timeout: 30s
    on_marked_down: shutdown-sessions
    drain:
      deadline: 30s
    rebalance: off
    withdraw_after: 1m
    # allow: everybody
    accept_proxy: off
    application_name_add_host: false
    tls:
      mode: passthrough
    server_tls:
      sslmode: disable
admin:
  bind: "127.0.0.1:7000"
  mode: "600"
  users: {}
  require_user: actions
  # tls: none
log:
  level: info
  format: text
  session_log: all
workers: auto
# maxconn: what file descriptors allow
buffer_size: 64kB
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
    s.clusters[0].patroni.address_map = {
        {"10.0.0.1:5432", {"10.0.0.2", 15432}},
        {"10.0.0.1", {"fd00::1", 0}},
        {"[fd00::1]:5432", {"/run/postgresql", 0}},
        {"fd00::2", {"db-2", 0}},
        {"db-1", {"/run/postgresql", 5433}}};
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
    s.listeners[1].timeouts = {1s, 2ms, 4h, 5s, 3h};
    s.listeners[1].keepalive = {60s, 7s, 9};
    s.listeners[1].tcp_user_timeout = 1ms;
    s.admin.bind = {"::1", 7001};
    s.workers = 5;
    s.buffer_size = 1000;
    s.shutdown_timeout = 0ms;
    check_round_trip(s);

    for (const log_level level :
         {log_level::debug, log_level::info, log_level::warning, log_level::error})
    {
        s.level = level;
        check_round_trip(s);
    }
}

TEST_CASE("limits, access and TLS are read back as they were")
{
    settings s = small_settings();
    s.maxconn = 1;
    s.clusters[0].default_member.maxconn = 2;
    s.clusters[0].member_options["a"] = {256, 3, 4, 90s, true};
    listener_settings& l = s.listeners[0];
    l.bind = {{"/run/postgresql/.s.PGSQL.5432", 0}, {"/run/a $b 'c\"", 0}};
    l.maxconn = 4;
    l.handshakes = {5, 6};
    l.drain_deadline = 7s;
    l.withdraw_after = 0s;
    l.allow = {{"10.0.0.0", 8}, {"::1", 128}, {"unix", 0}};
    l.accept_proxy = {{"0.0.0.0", 0}};
    l.application_name_add_host = true;
    l.tls = {tls_mode::terminate, "/c $x", "/k", "/ca", tls_version::tls_1_3, true};
    check_round_trip(s);

    for (const auto mode :
         {sslmode::allow,
          sslmode::prefer,
          sslmode::require,
          sslmode::verify_full,
          sslmode::verify_full})
    {
        l.server_tls = {mode, "/ca", "/c", "/k"};
        check_round_trip(s);
        l.server_tls = {mode, "", "", ""};
        check_round_trip(s);
    }
    l.server_tls = {sslmode::verify_ca, "/ca", "", ""};
    check_round_trip(s);
    for (const auto action :
         {marked_down_action::shutdown_sessions,
          marked_down_action::drain,
          marked_down_action::none})
    {
        l.on_marked_down = action;
        check_round_trip(s);
    }
    for (const auto& [word, algorithm] : balance_words)
    {
        l.balance = algorithm;
        check_round_trip(s);
    }
}

TEST_CASE("names of members are Patroni's, and survive whatever they are")
{
    for (const std::string name : {"null", "1", "a b", "$HOME", "${HOME}", "$$", "a\"b\\c", "a: b"})
    {
        CAPTURE(name);
        settings s = small_settings();
        s.clusters[0].member_options[name];
        s.clusters[0].member_options["other"].maxconn = 1;
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
