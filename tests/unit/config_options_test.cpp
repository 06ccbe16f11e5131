// SPDX-License-Identifier: PostgreSQL
//
// How many, who may come, TLS, and the end of sessions: what good files give, and what is said
// about bad ones.
#include "config/load.hpp"
#include "config/words.hpp"

#include <doctest/doctest.h>

using namespace rolegate::config;
using namespace std::chrono_literals;

namespace
{

std::optional<std::string> test_environment(const std::string& name)
{
    return name == "NET" ? std::optional<std::string>("10.0.0.0/8") : std::nullopt;
}

const std::string cluster = "clusters: {main: {patroni: {members: [a:8008]}}}\n";
const std::string listener = "listeners: {write: {bind: '*:5432', cluster: main, role: primary}}\n";

// Line 3 inside the listener, at column 1.
std::string with_listener(const std::string& line)
{
    return cluster + "listeners: {write: {bind: '*:5432', cluster: main, role: primary,\n" + line +
           "}}\n";
}

// Line 2 inside the cluster, at column 1.
std::string with_cluster(const std::string& line)
{
    return "clusters: {main: {patroni: {members: [a:8008]},\n" + line + "}}\n" + listener;
}

// Line 2 is the listener, with its bind at column 27.
std::string with_bind(const std::string& bind)
{
    return cluster + "listeners: {write: {bind: " + bind + ", cluster: main, role: primary}}\n";
}

std::string problems_in(const std::string& yaml)
{
    std::string out;
    for (const problem& p : load_text(yaml, "f", test_environment).problems)
        out += to_string(p) + "\n";
    return out;
}

settings load_sound(const std::string& yaml)
{
    CAPTURE(yaml);
    REQUIRE(problems_in(yaml) == "");
    return load_text(yaml, "f", test_environment).value;
}

listener_settings load_listener(const std::string& line)
{
    return load_sound(with_listener(line)).listeners.at(0);
}

cluster_settings load_cluster(const std::string& line)
{
    return load_sound(with_cluster(line)).clusters.at(0);
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

TEST_SUITE_BEGIN("config/options");

TEST_CASE("maxconn of the proxy, of a listener and of members")
{
    CHECK_FALSE(load_sound(cluster + listener).maxconn.has_value());
    CHECK(load_sound(cluster + listener + "maxconn: 1\n").maxconn == 1U);
    CHECK(load_sound(cluster + listener + "maxconn: 1000000\n").maxconn == 1'000'000U);
    CHECK_FALSE(load_listener("").maxconn.has_value());
    CHECK(load_listener("maxconn: 7").maxconn == 7U);

    const cluster_settings none = load_cluster("");
    CHECK(none.default_member == member_settings{});
    CHECK(none.member_options.empty());
    CHECK(load_cluster("default_member: {}, member_options: {}") == none);

    // The order does not matter.
    const cluster_settings some =
        load_cluster("member_options: {pg 1: {maxconn: 5}, pg2: {}}, default_member: {maxconn: 9}");
    CHECK(some.options_of("pg 1").maxconn == 5U);
    CHECK(some.options_of("pg2").maxconn == 9U);
    CHECK(some.options_of("pg3").maxconn == 9U);
    CHECK_FALSE(load_cluster("member_options: {a: {}}").options_of("a").maxconn.has_value());
}

TEST_CASE("how members share sessions")
{
    CHECK(load_listener("").balance == balance_algorithm::roundrobin);
    for (const auto& [word, algorithm] : balance_words)
    {
        CAPTURE(word);
        CHECK(load_listener("balance: " + std::string(word)).balance == algorithm);
    }
    const cluster_settings c = load_cluster(
        "member_options: {a: {weight: 1, slowstart: 0, backup: false}, b: {maxqueue: 7}}, "
        "default_member: {weight: 256, maxqueue: 1000000, slowstart: 90s, backup: true}"
    );
    CHECK(c.default_member == member_settings{256, {}, 1'000'000, 90s, true});
    CHECK(c.options_of("a") == member_settings{1, {}, 1'000'000, 0s, false});
    CHECK(c.options_of("b") == member_settings{256, {}, 7, 90s, true});
    CHECK(load_cluster("default_member: {maxqueue: 0}").default_member == member_settings{});
}

TEST_CASE("problems of how members share sessions name the key")
{
    const std::string weight = "'weight' must be between 1 and 256, got ";
    check_problems({
        {with_listener("balance: leastcon"),
         "f:3:10: expected one of roundrobin, leastconn, random, first, source, got 'leastcon', "
         "did you "
         "mean 'leastconn'?\n"},
        {with_cluster("default_member: {weight: 0}"), "f:2:26: " + weight + "'0'\n"},
        {with_cluster("member_options: {a: {weight: 257}}"), "f:2:30: " + weight + "'257'\n"},
        {with_cluster("member_options: {a: {weight: x}}"),
         "f:2:30: expected a whole number for 'weight', got 'x'\n"},
        {with_cluster("default_member: {maxqueue: 1000001}"),
         "f:2:28: 'maxqueue' must be between 0 and 1000000, got '1000001'\n"},
        {with_cluster("default_member: {slowstart: 2d}"),
         "f:2:29: 'slowstart' must be between 0 and 1d, got '2d'\n"},
        {with_cluster("default_member: {backup: 1}"), "f:2:26: expected true or false, got '1'\n"},
        {with_cluster("member_options: {a: {wieght: 1}}"),
         "f:2:22: unknown key 'wieght', did you mean 'weight'?\n"},
    });
}

TEST_CASE("problems of maxconn name the key")
{
    const std::string range = "'maxconn' must be between 1 and 1000000, got ";
    const std::string number = "expected a whole number for 'maxconn', got ";
    check_problems({
        {cluster + listener + "maxconn: 0", "f:3:10: " + range + "'0'\n"},
        {cluster + listener + "maxconn: 1000001", "f:3:10: " + range + "'1000001'\n"},
        {cluster + listener + "maxconn: auto", "f:3:10: " + number + "'auto'\n"},
        {with_listener("maxconn: many"), "f:3:10: " + number + "'many'\n"},
        {with_listener("maxconn: -1"), "f:3:10: " + range + "'-1'\n"},
        {with_listener("maxconn: "), "f:3:1: 'maxconn' has no value\n"},
        {with_cluster("default_member: {maxconn: 0}"), "f:2:27: " + range + "'0'\n"},
        {with_cluster("default_member: 5"), "f:2:17: expected a map, got '5'\n"},
        {with_cluster("default_member: {maxcon: 5}"),
         "f:2:18: unknown key 'maxcon', did you mean 'maxconn'?\n"},
        {with_cluster("member_options: {a: {maxconn: x}}"), "f:2:31: " + number + "'x'\n"},
        {with_cluster("member_options: [a]"), "f:2:17: expected a map, got a list\n"},
        {with_cluster("member_options: {maxconn: 5}"), "f:2:27: expected a map, got '5'\n"},
        {with_cluster("member_options: {'': {}}"),
         "f:2:18: expected the name of a member, got nothing\n"},
        {with_cluster("member_options: {a: {}, a: {maxconn: 5}}"),
         "f:2:25: duplicate member 'a', first on line 2\n"},
    });
}

TEST_CASE("how sessions end, and when the door is closed")
{
    const listener_settings plain = load_listener("");
    CHECK(plain.timeouts.client == 0s);
    CHECK(plain.timeouts.server == 0s);
    CHECK(plain.on_marked_down == marked_down_action::shutdown_sessions);
    CHECK(plain.drain_deadline == 30s);
    CHECK(plain.withdraw_after == 60s);

    CHECK(load_listener("timeouts: {client: 0, server: 0}") == plain);
    CHECK(load_listener("timeouts: {client: 1ms}").timeouts.client == 1ms);
    CHECK(load_listener("timeouts: {server: 1d}").timeouts.server == 24h);
    CHECK(load_listener("on_marked_down: shutdown-sessions") == plain);
    CHECK(load_listener("on_marked_down: drain").on_marked_down == marked_down_action::drain);
    CHECK(load_listener("on_marked_down: none").on_marked_down == marked_down_action::none);
    CHECK(load_listener("drain: {}") == plain);
    CHECK(load_listener("drain: {deadline: 1ms}").drain_deadline == 1ms);
    CHECK(load_listener("drain: {deadline: 24h}").drain_deadline == 24h);
    CHECK(load_listener("withdraw_after: 0").withdraw_after == 0s);
    CHECK(load_listener("withdraw_after: 1s").withdraw_after == 1s);
    CHECK(load_listener("withdraw_after: 24h").withdraw_after == 24h);

    check_problems({
        {with_listener("timeouts: {client: 25h}"),
         "f:3:20: 'client' must be between 0 and 1d, got '25h'\n"},
        {with_listener("on_marked_down: shutdown_sessions"),
         "f:3:17: expected one of shutdown-sessions, drain, none, got 'shutdown_sessions', did you "
         "mean 'shutdown-sessions'?\n"},
        {with_listener("drain: 30s"), "f:3:8: expected a map, got '30s'\n"},
        {with_listener("drain: {deadline: 0}"),
         "f:3:19: 'deadline' must be between 1ms and 1d, got '0'\n"},
        {with_listener("withdraw_after: 999ms"),
         "f:3:17: 'withdraw_after' must be 0 (never) or at least 1s, got '999ms'\n"},
        {with_listener("withdraw_after: 25h"),
         "f:3:17: 'withdraw_after' must be between 0 and 1d, got '25h'\n"},
        {with_listener("withdraw_after: never"),
         "f:3:17: expected a duration such as 250ms, 2s or 30m, got 'never'\n"},
    });
}

TEST_CASE("clients that have not said who they are")
{
    CHECK(load_listener("handshakes: {}").handshakes == handshake_limits{4000, 1000});
    CHECK(
        load_listener("handshakes: {max: 1, per_address: 1000000}").handshakes ==
        handshake_limits{1, 1'000'000}
    );
    check_problems({
        {with_listener("handshakes: {max: 0}"),
         "f:3:19: 'max' must be between 1 and 1000000, got '0'\n"},
        {with_listener("handshakes: {per_address: all}"),
         "f:3:27: expected a whole number for 'per_address', got 'all'\n"},
        {with_listener("handshakes: 5"), "f:3:13: expected a map, got '5'\n"},
    });
}

TEST_CASE("who may come, and whose PROXY header is believed")
{
    CHECK(load_listener("").allow.empty());
    CHECK(
        load_listener("allow: ['${NET}', ::1, 192.0.2.7, unix]").allow ==
        std::vector<network>{{"10.0.0.0", 8}, {"::1", 128}, {"192.0.2.7", 32}, {"unix", 0}}
    );
    CHECK(load_listener("accept_proxy: off").accept_proxy.empty());
    CHECK(load_listener("accept_proxy: []").accept_proxy.empty());
    CHECK(
        load_listener("accept_proxy: [10.0.0.0/8]").accept_proxy ==
        std::vector<network>{{"10.0.0.0", 8}}
    );
    CHECK_FALSE(load_listener("").application_name_add_host);
    CHECK(load_listener("application_name_add_host: true").application_name_add_host);

    const std::string proxy = "expected off or a list such as [10.0.0.0/8], got ";
    check_problems({
        {with_listener("allow: 10.0.0.0/8"),
         "f:3:8: expected a list such as [10.0.0.0/8], got '10.0.0.0/8'\n"},
        {with_listener("allow: []"),
         "f:3:8: an empty list would let nobody in; without 'allow' everybody may come\n"},
        {with_listener("allow: [10.0.0.1/8, {}, 10.0.0.0/33]"),
         "f:3:9: '10.0.0.1/8' has bits set behind its prefix, did you mean '10.0.0.0/8'?\n"
         "f:3:21: expected a network such as 10.0.0.0/8, got a map\n"
         "f:3:25: expected a prefix between /0 and /32, got '10.0.0.0/33'\n"},
        {with_listener("accept_proxy: true"), "f:3:15: " + proxy + "'true'\n"},
        {with_listener("accept_proxy: 10.0.0.0/8"), "f:3:15: " + proxy + "'10.0.0.0/8'\n"},
        {with_listener("accept_proxy: {}"), "f:3:15: " + proxy + "a map\n"},
        {with_listener("accept_proxy: [x]"),
         "f:3:16: expected a network such as 10.0.0.0/8 or fd00::/8, an IP address or unix, got "
         "'x'\n"},
        {with_listener("application_name_add_host: 1"),
         "f:3:28: expected true or false, got '1'\n"},
    });
}

TEST_CASE("TLS of clients is passed through, or ends here")
{
    CHECK(load_listener("tls: {mode: passthrough}").tls == listener_tls{});
    CHECK(load_listener("tls: {}").tls == listener_tls{});

    listener_tls tls;
    tls.mode = tls_mode::terminate;
    tls.cert = "/c";
    tls.key = "/k";
    CHECK(load_listener("tls: {mode: terminate, cert: /c, key: /k}").tls == tls);
    CHECK(load_listener("tls: {key: /k, cert: /c, mode: terminate, ca: ''}").tls == tls);
    tls.ca = "/ca";
    tls.min_version = tls_version::tls_1_3;
    tls.required = true;
    CHECK(
        load_listener("tls: {mode: terminate, cert: /c, key: /k, ca: /ca, min_version: TLSv1.3, "
                      "required: true}")
            .tls == tls
    );

    const std::string needs = " needs 'mode: terminate'\n";
    check_problems({
        {with_listener("tls: {mode: terminate}"),
         "f:3:13: 'mode: terminate' needs 'cert'\nf:3:13: 'mode: terminate' needs 'key'\n"},
        {with_listener("tls: {mode: terminate, cert: /c}"),
         "f:3:13: 'mode: terminate' needs 'key'\n"},
        {with_listener("tls: {mode: terminate, cert: '', key: /k}"),
         "f:3:30: 'mode: terminate' needs 'cert'\n"},
        {with_listener("tls: {mode: terminate, cert: [], key: /k}"),
         "f:3:30: expected text, got a list\n"},
        {with_listener("tls: {cert: /c}"), "f:3:7: 'cert'" + needs},
        {with_listener("tls: {mode: passthrough, key: k, ca: c, min_version: TLSv1.2, required: "
                       "false}"),
         "f:3:26: 'key'" + needs + "f:3:34: 'ca'" + needs + "f:3:41: 'min_version'" + needs +
             "f:3:63: 'required'" + needs},
        // What the mode should have been is not known.
        {with_listener("tls: {mode: terminated, cert: /c}"),
         "f:3:13: expected one of passthrough, terminate, got 'terminated', did you mean "
         "'terminate'?\n"},
        {with_listener("tls: {mode: terminate, cert: c, key: k, min_version: '1.2'}"),
         "f:3:54: expected one of TLSv1.2, TLSv1.3, got '1.2'\n"},
        {with_listener("tls: terminate"), "f:3:6: expected a map, got 'terminate'\n"},
    });
}

TEST_CASE("TLS to servers has libpq's modes")
{
    CHECK(load_listener("server_tls: {}").server_tls == server_tls_settings{});
    const std::pair<std::string, sslmode> modes[] = {
        {"disable", sslmode::disable},
        {"allow", sslmode::allow},
        {"prefer", sslmode::prefer},
        {"require", sslmode::require},
        {"verify-ca", sslmode::verify_ca},
        {"verify-full", sslmode::verify_full},
    };
    for (const auto& mode : modes)
    {
        const std::string ca = mode.second == sslmode::verify_ca ? "ca.crt" : "";
        const listener_settings l = load_listener(
            "server_tls: {sslmode: " + mode.first + (ca.empty() ? "}" : ", ca: " + ca + "}")
        );
        CHECK(l.server_tls == server_tls_settings{mode.second, ca, "", ""});
    }
    CHECK(
        load_listener("server_tls: {sslmode: require, ca: /ca, cert: /c, key: /k}").server_tls ==
        server_tls_settings{sslmode::require, "/ca", "/c", "/k"}
    );

    const std::string needs = " needs an 'sslmode' other than 'disable'\n";
    check_problems({
        {with_listener("server_tls: {ca: /ca}"), "f:3:14: 'ca'" + needs},
        {with_listener("server_tls: {sslmode: disable, cert: /c}"), "f:3:32: 'cert'" + needs},
        {with_listener("server_tls: {sslmode: require, cert: /c}"),
         "f:3:38: 'cert' needs 'key' beside it\n"},
        {with_listener("server_tls: {sslmode: require, key: /k}"),
         "f:3:37: 'key' needs 'cert' beside it\n"},
        {with_listener("server_tls: {sslmode: verify_full, ca: /ca}"),
         "f:3:23: expected one of disable, allow, prefer, require, verify-ca, verify-full, got "
         "'verify_full', did you mean 'verify-full'?\n"},
    });
}

TEST_CASE("a listener binds unix sockets, each once")
{
    CHECK(
        load_sound(with_bind("unix:/run/postgresql:5432")).listeners[0].bind ==
        std::vector<host_port>{{"/run/postgresql/.s.PGSQL.5432", 0}}
    );
    CHECK(
        load_sound(with_bind("['*:5432', 'unix:/run/x']")).listeners[0].bind ==
        std::vector<host_port>{{"*", 5432}, {"/run/x", 0}}
    );

    check_problems({
        {with_bind("unix:run"),
         "f:2:27: a unix socket needs an absolute path such as unix:/run/rolegate/write, got "
         "'unix:run'\n"},
        {with_bind("['unix:/run:5432', 'unix:/run//.s.PGSQL.5432']"),
         "f:2:46: listener 'write' cannot bind 'unix:/run/.s.PGSQL.5432': listener 'write' binds "
         "'unix:/run/.s.PGSQL.5432'\n"},
        {cluster + "listeners: {w: {bind: unix:/x, cluster: main, role: primary},\n"
                   "r: {bind: unix:/x, cluster: main, role: replica}}\n",
         "f:3:11: listener 'r' cannot bind 'unix:/x': listener 'w' binds 'unix:/x'\n"},
    });
}

TEST_SUITE_END();
