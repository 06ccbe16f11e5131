// SPDX-License-Identifier: PostgreSQL
//
// What a good file gives. What a bad one gives is in config_problems_test.cpp.
#include "config/load.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

using namespace rolegate::config;
using namespace std::chrono_literals;

namespace
{

std::optional<std::string> test_environment(const std::string& name)
{
    if (name == "HOST")
        return "10.0.0.1";
    if (name == "WAIT")
        return "7s";
    return std::nullopt;
}

std::string problems_of(const load_result& loaded)
{
    std::string out;
    for (const problem& p : loaded.problems)
        out += to_string(p) + "\n";
    return out;
}

settings load_sound(std::string_view yaml)
{
    const load_result loaded = load_text(yaml, "test.yaml", test_environment);
    REQUIRE(problems_of(loaded) == "");
    return loaded.value;
}

// A file with the given lines in the listener "write", each starting with a newline.
std::string with_listener(const std::string& more)
{
    return "clusters: {main: {patroni: {members: [a:8008]}}}\n"
           "listeners:\n"
           "  write:\n"
           "    bind: \"*:5432\"\n"
           "    cluster: main\n"
           "    role: primary" +
           more + "\n";
}

// A file in a directory of its own, gone with the guard.
class temporary_file
{
public:
    explicit temporary_file(const std::string& text)
    {
        char name[] = "/tmp/rolegate-config-XXXXXX";
        REQUIRE(mkdtemp(name) != nullptr);
        directory_ = name;
        std::ofstream(path()) << text;
    }
    ~temporary_file()
    {
        std::remove(path().c_str());
        std::remove(directory_.c_str());
    }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;

    std::string path() const { return directory_ + "/rolegate.yaml"; }
    const std::string& directory() const { return directory_; }

private:
    std::string directory_;
};

} // namespace

TEST_SUITE_BEGIN("config/load");

TEST_CASE("a small file gives its values and the defaults")
{
    const settings s = load_sound(R"(
clusters:
  main:
    patroni:
      members: [10.0.3.141:8008, batman:8008, "[::1]:8008"]   # REST seeds
listeners:
  write: {bind: "*:5432", cluster: main, role: primary}
  read:  {bind: "*:5433", cluster: main, role: replica, balance: roundrobin}
admin: {bind: 127.0.0.1:7001}
)");

    settings expected;
    cluster_settings cluster;
    cluster.name = "main";
    cluster.patroni.members = {{"10.0.3.141", 8008}, {"batman", 8008}, {"::1", 8008}};
    expected.clusters.push_back(cluster);
    listener_settings write;
    write.name = "write";
    write.bind = {{"*", 5432}};
    write.cluster = "main";
    expected.listeners.push_back(write);
    listener_settings read = write;
    read.name = "read";
    read.bind = {{"*", 5433}};
    read.role = listener_role::replica;
    expected.listeners.push_back(read);
    expected.admin.bind = {"127.0.0.1", 7001};
    CHECK(s == expected);
}

TEST_CASE("every key reaches its setting")
{
    const settings s = load_sound(R"(
clusters:
  b:
    stale_after: 9s
    patroni:
      members: [a:1]
      scope: batman
      interval: 3s
      fast_interval: 20ms
      timeout: 4s
      tls: {ca: /ca, cert: /cert, key: /key, verify: false}
  a: {patroni: {members: [a:1], tls: {}}}
listeners:
  l:
    bind: ["127.0.0.1:1", "[::1]:1"]
    cluster: b
    role: replica
    queue: {timeout: 5s, max: 0}
    timeouts: {handshake: 1s, connect: 2s, client: 9s, server: 10s, client_fin: 3s}
    keepalive: {idle: 4s, interval: 6s, count: 8}
    tcp_user_timeout: 7s
    tls: {mode: passthrough}
log: {level: debug, format: text}
workers: 3
buffer_size: 1MB
shutdown_timeout: 0
)");

    REQUIRE(s.clusters.size() == 2);
    const cluster_settings& b = s.clusters[0];
    CHECK(b.name == "b");
    CHECK(b.stale_after == 9000ms);
    CHECK(b.patroni.scope == "batman");
    CHECK(b.patroni.interval == 3s);
    CHECK(b.patroni.fast_interval == 20ms);
    CHECK(b.patroni.timeout == 4s);
    CHECK(b.patroni.tls == client_tls{"/ca", "/cert", "/key", false});
    CHECK(s.clusters[1].name == "a");
    CHECK(s.clusters[1].patroni.tls == client_tls{});

    REQUIRE(s.listeners.size() == 1);
    const listener_settings& l = s.listeners[0];
    CHECK(l.bind == std::vector<host_port>{{"127.0.0.1", 1}, {"::1", 1}});
    CHECK(l.cluster == "b");
    CHECK(l.role == listener_role::replica);
    CHECK(l.queue == queue_settings{5s, 0});
    CHECK(l.timeouts == listener_timeouts{1s, 2s, 9s, 10s, 3s});
    CHECK(l.keepalive == keepalive_settings{4s, 6s, 8});
    CHECK(l.tcp_user_timeout == 7s);
    CHECK(s.level == log_level::debug);
    CHECK(s.workers == 3U);
    CHECK(s.buffer_size == 1'048'576);
    CHECK(s.shutdown_timeout == 0s);
}

TEST_CASE("words with one meaning are read, aliases included")
{
    struct row
    {
        std::string word;
        listener_role role;
    };
    const row rows[] = {
        {"primary", listener_role::primary},
        {"read-write", listener_role::primary},
        {"master", listener_role::primary},
        {"replica", listener_role::replica},
        {"leader", listener_role::leader},
        {"standby-leader", listener_role::standby_leader},
        {"read-only", listener_role::read_only},
        {"sync", listener_role::sync},
        {"async", listener_role::async},
        {"quorum", listener_role::quorum},
        {"read-only-sync", listener_role::read_only_sync},
        {"read-only-quorum", listener_role::read_only_quorum},
        {"any", listener_role::any},
    };
    for (const row& r : rows)
    {
        CAPTURE(r.word);
        std::string yaml = with_listener("");
        yaml.replace(yaml.rfind("primary"), 7, r.word);
        CHECK(load_sound(yaml).listeners[0].role == r.role);
    }

    const std::pair<std::string, log_level> levels[] = {
        {"debug", log_level::debug},
        {"info", log_level::info},
        {"warning", log_level::warning},
        {"error", log_level::error},
    };
    for (const auto& row : levels)
    {
        CAPTURE(row.first);
        const settings s = load_sound(with_listener("\nlog: {level: " + row.first + "}"));
        CHECK(s.level == row.second);
    }
    CHECK(load_sound(with_listener("")).format == log_format::text);
    CHECK(load_sound(with_listener("\nlog: {format: text}")).format == log_format::text);
    CHECK(load_sound(with_listener("\nlog: {format: json}")).format == log_format::json);
    const std::pair<std::string, session_log> session_logs[] = {
        {"all", session_log::all},
        {"errors", session_log::errors},
        {"none", session_log::none},
    };
    for (const auto& row : session_logs)
    {
        CAPTURE(row.first);
        const settings s = load_sound(with_listener("\nlog: {session_log: " + row.first + "}"));
        CHECK(s.sessions == row.second);
    }
    CHECK_FALSE(load_sound(with_listener("\nworkers: auto")).workers.has_value());
    CHECK(load_sound(with_listener("\n    tls: {}")).listeners.size() == 1);
}

TEST_CASE("variables are expanded in values of every type")
{
    const settings s = load_sound(R"(
clusters:
  main:
    patroni:
      members: ["${HOST}:8008", "${OTHER:-batman}:8008"]
      scope: "costs $$5 in ${UNSET:-EUR}"
listeners:
  write:
    bind: ["${HOST}:5432"]
    cluster: ${CLUSTER:-main}
    role: ${ROLE:-replica}
    queue: {timeout: "${WAIT}", max: "${MAX:-9}"}
workers: ${WORKERS:-auto}
)");

    CHECK(
        s.clusters[0].patroni.members ==
        std::vector<host_port>{{"10.0.0.1", 8008}, {"batman", 8008}}
    );
    CHECK(s.clusters[0].patroni.scope == "costs $5 in EUR");
    CHECK(s.listeners[0].bind == std::vector<host_port>{{"10.0.0.1", 5432}});
    CHECK(s.listeners[0].role == listener_role::replica);
    CHECK(s.listeners[0].queue == queue_settings{7s, 9});
    CHECK_FALSE(s.workers.has_value());
}

TEST_CASE("bounds belong to their ranges")
{
    const std::string good[] = {
        "\n    queue: {timeout: 1ms, max: 1000000}",
        "\n    queue: {timeout: 1h}",
        "\n    timeouts: {handshake: 1ms, connect: 1d, client_fin: 24h}",
        "\n    keepalive: {idle: 1s, interval: 32767s, count: 1}",
        "\n    keepalive: {idle: 1000ms, count: 127}",
        "\n    tcp_user_timeout: 1ms",
        "\nworkers: 1",
        "\nworkers: 1024",
        "\nshutdown_timeout: 1d",
        "\nadmin: {bind: \"127.0.0.1:0\"}",
    };

    for (const std::string& more : good)
    {
        CAPTURE(more);
        CHECK(problems_of(load_text(with_listener(more), "f", test_environment)) == "");
    }
}

TEST_CASE("names may be as long as PostgreSQL's, and look like YAML's own words")
{
    for (const std::string& name :
         {std::string(63, 'x'), std::string("true"), std::string("1"), std::string("a.b-c_D")})
    {
        CAPTURE(name);
        const settings s = load_sound(
            "clusters: {" + name + ": {patroni: {members: [a:1]}}}\n" + "listeners: {" + name +
            ": {bind: '*:1', cluster: " + name + ", role: primary}}\n"
        );
        CHECK(s.clusters[0].name == name);
        CHECK(s.listeners[0].name == name);
    }
}

TEST_CASE("a problem is shown with its place, or with its file alone")
{
    CHECK(to_string({"a.yaml", 3, 7, "wrong"}) == "a.yaml:3:7: wrong");
    CHECK(to_string({"a.yaml", 0, 0, "wrong"}) == "a.yaml: wrong");
}

TEST_CASE("a file on disk is read, and one that cannot be says why")
{
    const temporary_file file(with_listener(""));

    CHECK(problems_of(load_file(file.path(), test_environment)) == "");
    CHECK(
        problems_of(load_file(file.path() + ".not", test_environment)) ==
        file.path() + ".not: cannot read: No such file or directory\n"
    );
    CHECK(
        problems_of(load_file(file.directory(), test_environment)) ==
        file.directory() + ": cannot read: Is a directory\n"
    );
}

TEST_CASE("a file of 1 MiB is read, a larger one refused before it is parsed")
{
    const std::string yaml = with_listener("") + "#";
    const std::string full = yaml + std::string((std::size_t{1} << 20) - yaml.size(), 'x');

    CHECK(problems_of(load_text(full, "f", test_environment)) == "");
    CHECK(problems_of(load_text(full + "x", "f", test_environment)) == "f: larger than 1MB\n");

    const temporary_file file(full + std::string(100'000, 'x'));
    CHECK(
        problems_of(load_file(file.path(), test_environment)) == file.path() + ": larger than 1MB\n"
    );
}

TEST_CASE("the process environment is that of the process")
{
    REQUIRE(setenv("ROLEGATE_CONFIG_TEST", "yes", 1) == 0);
    const environment env = process_environment();

    CHECK(env("ROLEGATE_CONFIG_TEST") == "yes");
    REQUIRE(unsetenv("ROLEGATE_CONFIG_TEST") == 0);
    CHECK_FALSE(env("ROLEGATE_CONFIG_TEST").has_value());
}

TEST_SUITE_END();
