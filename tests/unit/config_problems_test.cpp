// SPDX-License-Identifier: PostgreSQL
//
// What load_text() says about bad files: the very lines an operator sees.
#include "config/load.hpp"

#include <doctest/doctest.h>

using namespace rolegate::config;

namespace
{

std::optional<std::string> no_environment(const std::string&)
{
    return std::nullopt;
}

std::string problems_in(std::string_view yaml)
{
    std::string out;
    for (const problem& p : load_text(yaml, "f", no_environment).problems)
        out += to_string(p) + "\n";
    return out;
}

const std::string sound_cluster = "clusters: {main: {patroni: {members: [a:8008]}}}\n";
const std::string sound_listener =
    "listeners: {write: {bind: '*:5432', cluster: main, role: primary}}\n";

// Line 5 of a sound file, inside the listener.
std::string with_listener(const std::string& line)
{
    return sound_cluster +
           "listeners:\n  write:\n    {bind: '*:5432', cluster: main, role: primary,\n" + line +
           "}\n";
}

// Line 4 of a sound file, inside `patroni`.
std::string with_patroni(const std::string& line)
{
    return "clusters:\n  main:\n    patroni: {members: [a:8008],\n" + line + "}\n" + sound_listener;
}

// Line 3 of a sound file, inside the cluster.
std::string with_cluster(const std::string& line)
{
    return "clusters:\n  main: {patroni: {members: [a:8008]},\n" + line + "}\n" + sound_listener;
}

// Line 3 of a sound file, at the top.
std::string with_root(const std::string& line)
{
    return sound_cluster + sound_listener + line + "\n";
}

const std::string not_yet = " is not supported by this version yet\n";

} // namespace

TEST_SUITE_BEGIN("config/problems");

TEST_CASE("all problems of a file are reported at once, in the order of the file")
{
    const char* const yaml = R"(clusters:
  main:
    patroni:
      members: [a:8008, b, a:8008]
      intervall: 1s
      interval: 12
      timeout: 0s
  "bad name":
    patroni: {members: []}
listeners:
  write: {bind: "*:5432", cluster: mian, rolle: primary}
  read:
    bind: 127.0.0.1:5432
    cluster: main
    role: relica
    queue: {max: many}
    queue: {max: 1}
admin: {bind: localhost:7000}
logs: {}
)";

    CHECK(
        problems_in(yaml) ==
        "f:4:25: expected HOST:PORT such as 10.0.0.1:8008, got 'b'\n"
        "f:4:28: duplicate member 'a:8008'\n"
        "f:5:7: unknown key 'intervall', did you mean 'interval'?\n"
        "f:6:17: expected a duration such as 250ms, 2s or 30m, got '12'\n"
        "f:7:16: 'timeout' must be between 1ms and 1h, got '0s'\n"
        "f:8:3: 'bad name' cannot name a cluster: 1 to 63 of the characters A-Z a-z 0-9 _ . -\n"
        "f:9:15: at least one member is needed\n"
        "f:11:36: unknown cluster 'mian', did you mean 'main'?\n"
        "f:11:42: unknown key 'rolle', did you mean 'role'?\n"
        "f:13:11: listener 'read' cannot bind '127.0.0.1:5432': listener 'write' binds '*:5432'\n"
        "f:15:11: expected one of primary, read-write, master, leader, standby-leader, replica, "
        "read-only, sync, async, quorum, read-only-sync, read-only-quorum, any, got 'relica', did "
        "you mean "
        "'replica'?\n"
        "f:16:18: expected a whole number, got 'many'\n"
        "f:17:5: duplicate key 'queue', first on line 16\n"
        "f:18:15: 'localhost' is not an IP address; a bind takes one, or *\n"
        "f:19:1: unknown key 'logs', did you mean 'log'?\n"
    );
}

TEST_CASE("a file without anything misses what is required")
{
    const std::string missing = "missing key 'clusters'\nf: missing key 'listeners'\n";

    CHECK(problems_in("") == "f: " + missing);
    CHECK(problems_in("# only a comment\n") == "f: " + missing);
    CHECK(
        problems_in("workers: 1\n") ==
        "f:1:1: missing key 'clusters'\nf:1:1: missing key 'listeners'\n"
    );
    CHECK(
        problems_in("clusters: {}\nlisteners: {}\n") ==
        "f:1:1: at least one cluster is needed\nf:2:1: at least one listener is needed\n"
    );
    CHECK(
        problems_in("clusters:\nlisteners: []\n") == "f:1:1: 'clusters' has no value\n"
                                                     "f:2:12: expected a map, got a list\n"
    );
    CHECK(problems_in("just text") == "f:1:1: expected a map, got 'just text'\n");
    CHECK(problems_in("- a\n") == "f:1:1: expected a map, got a list\n");
}

TEST_CASE("required keys are missed where they should stand, and not judged further")
{
    CHECK(
        problems_in("clusters: {main: {}}\n" + sound_listener) == "f:1:12: missing key 'patroni'\n"
    );
    CHECK(
        problems_in("clusters: {main: {patroni: {}}}\n" + sound_listener) ==
        "f:1:19: missing key 'members'\n"
    );
    CHECK(
        problems_in("clusters: {main: }\n" + sound_listener) ==
        "f:1:12: expected a map, got nothing\n"
    );
    CHECK(
        problems_in(sound_cluster + "listeners:\n  write: {}\n") ==
        "f:3:3: missing key 'bind'\nf:3:3: missing key 'cluster'\nf:3:3: missing key 'role'\n"
    );
    CHECK(
        problems_in(
            sound_cluster + "listeners: {write: {bind: [], cluster: '', role: primary}}\n"
        ) == "f:2:21: at least one bind is needed\n"
             "f:2:40: expected the name of a cluster, got nothing\n"
    );
}

TEST_CASE("invalid YAML is reported with its place")
{
    struct row
    {
        std::string yaml;
        std::string problem;
    };
    const row rows[] = {
        {"clusters: {main: \n", "f:2:1: not valid YAML: end of map flow not found\n"},
        {"a: b: c\n", "f:1:5: not valid YAML: illegal map value\n"},
        {"a:\n\t- b\n", "f:2:2: not valid YAML: illegal block entry\n"},
        {"a: 'b\n", "f:2:1: not valid YAML: quotes that do not end\n"},
        {"a: \"b", "f:2:1: not valid YAML: quotes that do not end\n"},
        {"a: 'b'c\n",
         "f:1:7: not valid YAML: wrong indentation, or missing quotes as in \"[::]:5432\"\n"},
        {"a: [::]:5432\n",
         "f:1:8: not valid YAML: wrong indentation, or missing quotes as in \"[::]:5432\"\n"},
        {"a: *:5432\n",
         "f:1:4: not valid YAML: a value that starts with * needs quotes, such as \"*:5432\"\n"},
        {"a: {b: *:5432, c: d}\n",
         "f:1:8: not valid YAML: a value that starts with * needs quotes, such as \"*:5432\"\n"},
        {"a: * \n",
         "f:1:5: not valid YAML: a value that starts with * needs quotes, such as \"*:5432\"\n"},
        {"? [a]\n: b\n", "f:1:3: not valid YAML: a key must be text\n"},
        {"~: b\n", "f:1:1: not valid YAML: a key must be text\n"},
        {"a: b\n---\nc: d\n", "f:2:1: not valid YAML: only one document may stand in the file\n"},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.yaml);
        CHECK(problems_in(r.yaml) == r.problem);
    }
}

TEST_CASE("aliases and tags are refused, for a short file must stay small")
{
    CHECK(
        problems_in("clusters: &c {main: {patroni: {members: [a:8008]}}}\n" + sound_listener) == ""
    );
    CHECK(
        problems_in(with_root("admin: &a {bind: '127.0.0.1:1'}\nlog: *a")) ==
        "f:4:6: YAML aliases are not supported, write the value out\n"
    );
    CHECK(
        problems_in(with_root("admin: &a {bind: '127.0.0.1:1'}\nlog: {<<: *a}")) ==
        "f:4:11: YAML aliases are not supported, write the value out\n"
    );
    CHECK(
        problems_in(with_patroni("scope: !include secret")) ==
        "f:4:8: YAML tag '!include' is not supported\n"
    );
    CHECK(problems_in(with_patroni("scope: !!str secret")) == "");
    CHECK(
        problems_in(
            sound_cluster + "listeners: {write: {bind: &b '*:1', cluster: main, role: "
                            "primary}, read: {bind: [*b], cluster: main, role: replica}}\n"
        ) == "f:2:82: YAML aliases are not supported, write the value out\n"
    );

    // Each level refers twice to the one before.
    std::string bomb = "a0: &a0 [x, x]\n";
    for (int i = 1; i < 64; ++i)
    {
        const std::string before = std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + before + ", *a" +
                before + "]\n";
    }
    CHECK(load_text(bomb, "f", no_environment).problems.size() > 126);
}

TEST_CASE("deep nesting is refused before it meets the end of the stack")
{
    const auto repeat = [](std::string_view text, std::size_t times)
    {
        std::string out;
        for (std::size_t i = 0; i < times; ++i)
            out += text;
        return out;
    };

    for (const std::string opening : {"[", "{a: ", "- ", "? ", "[a: "})
    {
        CAPTURE(opening);
        const auto loaded = load_text(repeat(opening, 20'000), "f", no_environment);
        REQUIRE(loaded.problems.size() == 1);
        CHECK(loaded.problems[0].text == "not valid YAML: nested too deeply");
    }
}

TEST_CASE("a wrong type says what was expected and what stands there")
{
    struct row
    {
        std::string yaml;
        std::string problem;
    };
    const std::string duration = "expected a duration such as 250ms, 2s or 30m, got ";
    const row rows[] = {
        {with_patroni("interval: [1s]"), "f:4:11: " + duration + "a list\n"},
        {with_patroni("interval: {}"), "f:4:11: " + duration + "a map\n"},
        {with_patroni("interval: ''"), "f:4:11: " + duration + "''\n"},
        {with_patroni("interval: 99d"), "f:4:11: " + duration + "'99d'\n"},
        {with_patroni("interval: "), "f:4:1: 'interval' has no value\n"},
        {with_patroni("interval: ~"), "f:4:1: 'interval' has no value\n"},
        {with_patroni("scope: [a]"), "f:4:8: expected text, got a list\n"},
        {with_patroni("tls: true"), "f:4:6: expected a map, got 'true'\n"},
        {with_patroni("tls: {verify: maybe}"), "f:4:15: expected true or false, got 'maybe'\n"},
        {with_patroni("address_map: [a]"), "f:4:14: expected a map, got a list\n"},
        {with_patroni("address_map: {'10.0.0.1:5432': }"), "f:4:15: expected text, got nothing\n"},
        {with_patroni("address_map: {'10.0.0.1:0': a}"),
         "f:4:15: expected HOST:PORT such as 10.0.0.1:5432, got '10.0.0.1:0'\n"},
        {with_patroni("address_map: {a: 'unix:run'}"),
         "f:4:18: expected the absolute path of a directory such as unix:/run/postgresql\n"},
        {with_patroni("address_map: {'[::1]': b, '[0::1]': c}"),
         "f:4:27: '[0::1]' is mapped already\n"},
        {with_patroni("proxy_url: 1"), "f:4:12: expected true or false, got '1'\n"},
        {with_patroni("tls: {verify: {}}"), "f:4:15: expected true or false, got a map\n"},
        {with_cluster("stale_after: 10"), "f:3:14: " + duration + "'10'\n"},
        {with_listener("queue: {max: 1.5}"), "f:5:14: expected a whole number, got '1.5'\n"},
        {with_listener("queue: {max: ''}"), "f:5:14: expected a whole number, got ''\n"},
        {with_listener("queue: {max: +1}"), "f:5:14: expected a whole number, got '+1'\n"},
        {with_listener("queue: 10s"), "f:5:8: expected a map, got '10s'\n"},
        {with_root("workers: all"), "f:3:10: expected auto or a whole number, got 'all'\n"},
        {with_root("admin: {bind: ['127.0.0.1:1']}"),
         "f:3:15: expected ADDR:PORT such as *:5432, got a list\n"},
        {with_root("log: {level: warn}"),
         "f:3:14: expected one of debug, info, warning, error, got 'warn'\n"},
        {with_root("log: {format: logfmt, session_log: 'off'}"),
         "f:3:15: expected one of text, json, got 'logfmt'\n"
         "f:3:36: expected one of all, errors, none, got 'off'\n"},
        {"clusters: {main: {patroni: {members: 'a:8008'}}}\n" + sound_listener,
         "f:1:38: expected a list such as [10.0.0.1:8008], got 'a:8008'\n"},
        {"clusters: {main: {patroni: {members: [{a: 8008}]}}}\n" + sound_listener,
         "f:1:39: expected HOST:PORT such as 10.0.0.1:8008, got a map\n"},
        {with_patroni("scope: '${NOT_SET}'"), "f:4:8: environment variable 'NOT_SET' is not set\n"},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.yaml);
        CHECK(problems_in(r.yaml) == r.problem);
    }
}

TEST_CASE("values out of range are refused on both sides")
{
    struct row
    {
        std::string yaml;
        std::string problem;
    };
    const row rows[] = {
        {with_patroni("interval: 9ms, fast_interval: 10ms"),
         "f:4:11: 'interval' must be between 10ms and 1h, got '9ms'\n"},
        {with_patroni("interval: 61m"),
         "f:4:11: 'interval' must be between 10ms and 1h, got '61m'\n"},
        {with_patroni("fast_interval: 0"),
         "f:4:16: 'fast_interval' must be between 10ms and 1h, got '0'\n"},
        {with_patroni("timeout: 0"), "f:4:10: 'timeout' must be between 1ms and 1h, got '0'\n"},
        {with_cluster("stale_after: 0"),
         "f:3:14: 'stale_after' must be between 1ms and 1d, got '0'\n"},
        {with_listener("queue: {timeout: 0, max: -1}"),
         "f:5:18: 'timeout' must be between 1ms and 1h, got '0'\n"
         "f:5:26: 'max' must be between 0 and 1000000, got '-1'\n"},
        {with_listener("queue: {max: 99999999999999999999}"),
         "f:5:14: 'max' must be between 0 and 1000000, got '99999999999999999999'\n"},
        {with_listener("timeouts: {connect: 25h}"),
         "f:5:21: 'connect' must be between 0 and 1d, got '25h'\n"},
        {with_listener("keepalive: {idle: 0, interval: 500ms, count: 0}"),
         "f:5:19: 'idle' must be between 1s and 32767s, got '0'\n"
         "f:5:32: 'interval' must be between 1s and 32767s, got '500ms'\n"
         "f:5:46: 'count' must be between 1 and 127, got '0'\n"},
        {with_listener("keepalive: {idle: 1500ms}"),
         "f:5:19: 'idle' must be whole seconds, got '1500ms'\n"},
        {with_listener("tcp_user_timeout: 0"),
         "f:5:19: 'tcp_user_timeout' must be between 1ms and 1d, got '0'\n"},
        {with_root("workers: 0"), "f:3:10: 'workers' must be between 1 and 1024, got '0'\n"},
        {with_root("workers: 1025"), "f:3:10: 'workers' must be between 1 and 1024, got '1025'\n"},
        {with_root("buffer_size: 64KiB"),
         "f:3:14: expected a size such as 512B, 64kB or 1MB, got '64KiB'\n"},
        {with_root("buffer_size: 15"),
         "f:3:14: 'buffer_size' must be between 16B and 16MB, got '15'\n"},
        {with_root("buffer_size: 17MB"),
         "f:3:14: 'buffer_size' must be between 16B and 16MB, got '17MB'\n"},
        {with_root("shutdown_timeout: 2d"),
         "f:3:19: 'shutdown_timeout' must be between 0 and 1d, got '2d'\n"},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.yaml);
        CHECK(problems_in(r.yaml) == r.problem);
    }
}

TEST_CASE("keys of later versions are refused, never ignored and never called unknown")
{
    for (const std::string key : {"default_member", "member_options"})
    {
        CAPTURE(key);
        CHECK(problems_in(with_root(key + (": {}"))) == "f:3:1: '" + key + "'" + not_yet);
    }
}

TEST_CASE("values and sections of later versions are refused where they stand")
{
    struct row
    {
        std::string yaml;
        std::string problem;
    };
    const row rows[] = {
        {with_listener("timeouts: {handshake: 0}"),
         "f:5:23: 'handshake: 0' (never) is not supported by this version yet\n"},
    };
    for (const row& r : rows)
    {
        CAPTURE(r.yaml);
        CHECK(problems_in(r.yaml) == r.problem);
    }
}

TEST_CASE("duplicate names are found, and the first one stands")
{
    const auto loaded = load_text(
        "clusters:\n  a: {patroni: {members: [x:1]}}\n  a: {patroni: {members: [y:1]}}\n"
        "listeners:\n  l: {bind: '*:1', cluster: a, role: primary}\n"
        "  l: {bind: '*:1', cluster: a, role: primary}\n",
        "f",
        no_environment
    );

    REQUIRE(loaded.problems.size() == 2);
    CHECK(to_string(loaded.problems[0]) == "f:3:3: duplicate cluster 'a', first on line 2");
    CHECK(to_string(loaded.problems[1]) == "f:6:3: duplicate listener 'l', first on line 5");
    CHECK(loaded.value.clusters.size() == 1);
    CHECK(loaded.value.listeners.size() == 1);
}

TEST_CASE("names that cannot be labels are refused")
{
    for (const std::string& name :
         {std::string(),
          std::string(64, 'x'),
          std::string("a b"),
          std::string("a/b"),
          std::string("\xc3\xa4"),
          std::string("${X}")})
    {
        CAPTURE(name);
        const std::string yaml = "clusters: {\"" + name + "\": {patroni: {members: [a:1]}}}\n" +
                                 "listeners: {l: {bind: '*:1', cluster: \"" +
                                 (name == "${X}" ? "$${X}"
                                  : name.empty() ? "x"
                                                 : name) +
                                 "\", role: primary}}\n";
        const auto loaded = load_text(yaml, "f", no_environment);
        REQUIRE_FALSE(loaded.problems.empty());
        CHECK(loaded.problems[0].line == 1);
        CHECK(loaded.problems[0].column == 12);
        CHECK(loaded.problems[0].text.find("cannot name a cluster") != std::string::npos);
    }
}

TEST_CASE("contradictions are shown at the key that was written")
{
    CHECK(
        problems_in(with_patroni("interval: 20ms")) ==
        "f:4:11: 'fast_interval' (50ms) is longer than 'interval' (20ms)\n"
    );
    CHECK(
        problems_in(with_patroni("fast_interval: 2s")) ==
        "f:4:16: 'fast_interval' (2s) is longer than 'interval' (1s)\n"
    );
    CHECK(
        problems_in(with_cluster("stale_after: 1s")) ==
        "f:3:14: 'stale_after' (1s) must be longer than 'interval' (1s)\n"
    );
    CHECK(problems_in(with_patroni("tls: {cert: a}")) == "f:4:13: 'cert' needs 'key' beside it\n");
    CHECK(problems_in(with_patroni("tls: {key: a}")) == "f:4:12: 'key' needs 'cert' beside it\n");
    CHECK(
        problems_in(with_root("admin: {bind: '127.0.0.1:5432'}")) ==
        "f:3:15: admin cannot bind '127.0.0.1:5432': listener 'write' binds '*:5432'\n"
    );
    // Nobody wrote the admin bind; its default collides all the same.
    CHECK(
        problems_in(
            sound_cluster + "listeners: {w: {bind: '*:7000', cluster: main, role: primary}}\n"
        ) == "f:2:23: admin cannot bind '127.0.0.1:7000': listener 'w' binds '*:7000'\n"
    );
}

TEST_CASE("a refused value is not judged by its default")
{
    // 2s would be longer than the default interval.
    CHECK(
        problems_in(with_patroni("interval: 12, fast_interval: 2s")) ==
        "f:4:11: expected a duration such as 250ms, 2s or 30m, got '12'\n"
    );
    CHECK(
        problems_in(with_patroni("tls: {cert: a, key: [b]}")) ==
        "f:4:21: expected text, got a list\n"
    );
    CHECK(
        problems_in(with_root("admin: {bind: 7001}")) ==
        "f:3:15: expected ADDR:PORT such as *:5432 or [::]:5432, got '7001'\n"
    );
}

TEST_CASE("whatever the bytes are, loading ends with an answer")
{
    const std::string yaml =
        with_patroni("tls: {cert: \"a\\x41\", key: |\n  b\n}") + "log: {level: info}\n";
    for (std::size_t cut = 0; cut < yaml.size(); ++cut)
    {
        CAPTURE(cut);
        CHECK_NOTHROW(problems_in(yaml.substr(0, cut)));
        for (const char c : {'\0', '\n', '"', '*', '&', '!', '{', ']', ':', '-', '\t', '\xff', '$'})
        {
            std::string changed = yaml;
            changed[cut] = c;
            CHECK_NOTHROW(problems_in(changed));
        }
    }
}

TEST_SUITE_END();
