// SPDX-License-Identifier: PostgreSQL
//
// What stands beside `patroni` in a cluster: dcs, sql, on_dcs_loss, on_stale; good and bad.
#include "config/load.hpp"
#include "config/print.hpp"
#include "config/validate.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

using namespace rolegate::config;

namespace
{

std::optional<std::string> test_environment(const std::string& name)
{
    return name == "PASSWORD" ? std::optional<std::string>("from-env") : std::nullopt;
}

const std::string listeners =
    "listeners: {write: {bind: '*:5432', cluster: main, role: primary}}\n";

// Line 3 of a file, inside a cluster that has no REST seeds.
std::string with_cluster(const std::string& line)
{
    return "clusters:\n  main:\n    {" + line + "}\n" + listeners;
}

// The same inside `dcs`; the line begins at column 11.
std::string with_dcs(const std::string& line)
{
    return with_cluster("dcs: {" + line + "}");
}

// The same inside `etcd3` of a sound `dcs`; the line begins on line 4 at column 1.
std::string with_etcd(const std::string& line)
{
    return with_cluster("dcs: {scope: demo, etcd3: {\n" + line + "}}");
}

// The same inside `sql`, on line 4 at column 1.
std::string with_sql(const std::string& line)
{
    return with_cluster("patroni: {members: [a:8008]}, sql: {\n" + line + "}");
}

std::string problems_in(const std::string& yaml)
{
    std::string out;
    for (const problem& p : load_text(yaml, "f", test_environment).problems)
        out += to_string(p) + "\n";
    return out;
}

cluster_settings load_cluster(const std::string& yaml)
{
    CAPTURE(yaml);
    REQUIRE(problems_in(yaml) == "");
    return load_text(yaml, "f", test_environment).value.clusters.at(0);
}

dcs_settings load_etcd(const std::string& line)
{
    return load_cluster(with_etcd(line)).dcs.value();
}

// Gone with the guard.
class secret_file
{
public:
    explicit secret_file(const std::string& text)
    {
        char name[] = "/tmp/rolegate-secret-XXXXXX";
        const int fd = mkstemp(name);
        REQUIRE(fd >= 0);
        std::fclose(fdopen(fd, "w"));
        path_ = name;
        std::ofstream(path_) << text;
    }
    ~secret_file() { std::remove(path_.c_str()); }
    secret_file(const secret_file&) = delete;
    secret_file& operator=(const secret_file&) = delete;

    const std::string& path() const { return path_; }

private:
    std::string path_;
};

struct row
{
    std::string yaml;
    std::string problem;
};

const std::string not_yet = " is not supported by this version yet\n";

} // namespace

TEST_SUITE_BEGIN("config/dcs");

TEST_CASE("a DCS beside the REST seeds, or instead of them")
{
    const cluster_settings both = load_cluster(R"(
clusters:
  main:
    patroni: {members: [a:8008], scope: demo}
    dcs:
      scope: demo
      namespace: /db
      group: 2
      etcd3:
        hosts: [10.0.0.1:2379, "[::1]:2380", etcd-1]
        username: rolegate
        password: "${PASSWORD}"
        protocol: https
        cacert: /ca
        cert: /cert
        key: /key
        verify: false
    on_dcs_loss: fence
    on_stale: shutdown_sessions
)" + listeners);

    dcs_settings expected;
    expected.scope = "demo";
    expected.name_space = "/db";
    expected.group = 2;
    expected.hosts = {{"10.0.0.1", 2379}, {"::1", 2380}, {"etcd-1", 2379}};
    expected.username = "rolegate";
    expected.password = "from-env";
    expected.tls = client_tls{"/ca", "/cert", "/key", false};
    CHECK(both.dcs == expected);
    CHECK(both.patroni.members.size() == 1);
    CHECK(both.on_dcs_loss == dcs_loss::fence);
    CHECK(both.on_stale == stale_action::shutdown_sessions);

    const cluster_settings alone = load_cluster(with_dcs("scope: demo, etcd: {host: e:1}"));
    CHECK(alone.patroni == patroni_settings{});
    CHECK(alone.dcs->kind == dcs_kind::etcd);
    CHECK(alone.dcs->name_space == "/service");
    CHECK_FALSE(alone.dcs->group.has_value());
    CHECK_FALSE(alone.dcs->tls.has_value());
    CHECK(alone.on_dcs_loss == dcs_loss::rest);
    CHECK(alone.on_stale == stale_action::refuse_new);

    const std::string dcs = ", dcs: {scope: demo, etcd3: {host: e}}";
    CHECK(load_cluster(with_cluster("patroni: {}" + dcs)).patroni.members.empty());
    CHECK(load_cluster(with_cluster("patroni: {members: []}" + dcs)).patroni.members.empty());
    CHECK_FALSE(load_cluster(with_cluster("patroni: {members: [a:1]}")).dcs.has_value());
}

TEST_CASE("hosts are spelled in each of Patroni's ways")
{
    using hosts = std::vector<host_port>;
    CHECK(load_etcd("host: e").hosts == hosts{{"e", 2379}});
    CHECK(load_etcd("host: 'e:1'").hosts == hosts{{"e", 1}});
    CHECK(load_etcd("host: '[::1]'").hosts == hosts{{"::1", 2379}});
    CHECK(load_etcd("hosts: e").hosts == hosts{{"e", 2379}});
    CHECK(load_etcd("hosts: 'e:1, f,[::1]:2 '").hosts == hosts{{"e", 1}, {"f", 2379}, {"::1", 2}});
    CHECK(load_etcd("hosts: [e, 'f:1']").hosts == hosts{{"e", 2379}, {"f", 1}});
    CHECK(load_etcd("url: http://e").hosts == hosts{{"e", 2379}});
    CHECK(load_etcd("url: 'http://[::1]:1/'").hosts == hosts{{"::1", 1}});
}

TEST_CASE("HTTPS is turned on by the protocol or by the URL")
{
    CHECK_FALSE(load_etcd("host: e, protocol: http").tls.has_value());
    CHECK_FALSE(load_etcd("url: http://e").tls.has_value());
    CHECK(load_etcd("host: e, protocol: https").tls == client_tls{});
    CHECK(load_etcd("url: https://e").tls == client_tls{});
    CHECK(load_etcd("url: https://e, cacert: /ca").tls == client_tls{"/ca", "", "", true});
    // One file may hold certificate and key.
    CHECK(load_etcd("url: https://e, cert: /c").tls == client_tls{"", "/c", "/c", true});
    CHECK(load_etcd("cert: /c, key: /k, protocol: https, host: e").tls->key == "/k");
}

TEST_CASE("a password stands in the file, in another one, or in the URL")
{
    const secret_file file("s3cret\r\nsecond line\n");
    const secret_file unended("s3cret");

    for (const std::string& path : {file.path(), unended.path()})
    {
        CHECK(load_etcd("host: e, username: u, password_file: " + path).password == "s3cret");
        CHECK(load_cluster(with_sql("user: u, password_file: " + path)).sql->password == "s3cret");
    }
    const dcs_settings by_url = load_etcd("url: 'https://u:p@s:s@e:1'");
    CHECK(by_url.username == "u");
    CHECK(by_url.password == "p@s:s");
    CHECK(by_url.hosts == std::vector<host_port>{{"e", 1}});
}

TEST_CASE("problems of a DCS section are shown where they stand")
{
    const row rows[] = {
        {with_cluster("dcs: x"), "f:3:11: expected a map, got 'x'\n"},
        {with_cluster("dcs: "), "f:3:6: 'dcs' has no value\n"},
        {with_dcs(""), "f:3:6: missing key 'scope'\nf:3:6: missing key 'etcd3'\n"},
        {with_dcs("scope: '', etcd3: {host: e}"),
         "f:3:19: expected Patroni's name of the cluster, got nothing\n"},
        {with_dcs("scope: [a], etcd3: {host: e}"), "f:3:19: expected text, got a list\n"},
        {with_dcs("scope: a, group: -1, etcd3: {host: e}"),
         "f:3:29: 'group' must be between 0 and 2147483647, got '-1'\n"},
        {with_dcs("scope: a, group: x, etcd3: {host: e}"),
         "f:3:29: expected a whole number, got 'x'\n"},
        {with_dcs("scope: a, etcd3: {host: e}, etcd: {host: e}"),
         "f:3:40: 'etcd' cannot stand beside 'etcd3'\n"},
        {with_dcs("scope: a, etcd: {host: e}, etcd3: {host: e}"),
         "f:3:39: 'etcd3' cannot stand beside 'etcd'\n"},
        {with_dcs("scope: a, etcd4: {host: e}"),
         "f:3:22: unknown key 'etcd4', did you mean 'etcd3'?\n"},
        {with_dcs("scope: a, etcd3: "), "f:3:22: 'etcd3' has no value\n"},
        {with_dcs("scope: a, etcd3: [e]"), "f:3:29: expected a map, got a list\n"},
        {with_cluster("patroni: {members: [a:1], dcs: {scope: a}}"),
         "f:3:32: 'dcs' belongs beside 'patroni', not inside it\n"},
        {with_cluster("patroni: {sql: {user: a}, dcs: {scope: a}}"),
         "f:3:16: 'sql' belongs beside 'patroni', not inside it\n"
         "f:3:32: 'dcs' belongs beside 'patroni', not inside it\n"},
        {with_cluster("patroni: {}"), "f:3:6: missing key 'members'\n"},
        {with_cluster("on_stale: refuse_new"), "f:2:3: missing key 'patroni'\n"},
    };
    for (const row& r : rows)
    {
        CAPTURE(r.yaml);
        CHECK(problems_in(r.yaml) == r.problem);
    }

    for (const std::string kind : {"consul", "zookeeper", "exhibitor", "kubernetes", "raft"})
    {
        CAPTURE(kind);
        CHECK(
            problems_in(with_dcs("scope: a, " + kind + ": {}")) ==
            "f:3:22: '" + kind + "'" + not_yet
        );
    }
}

TEST_CASE("problems of an etcd section are shown where they stand")
{
    const std::string host_port = "expected HOST:PORT such as 10.0.0.1:2379";
    const std::string url = "expected a URL such as https://10.0.0.1:2379";
    const row rows[] = {
        {with_etcd(""), "f:3:25: missing key 'hosts'\n"},
        {with_etcd("hots: e"), "f:4:1: unknown key 'hots', did you mean 'host'?\n"},
        {with_etcd("host: ''"), "f:4:7: " + host_port + ", got ''\n"},
        {with_etcd("host: [e]"), "f:4:7: expected HOST:PORT, got a list\n"},
        {with_etcd("host: 'e:0'"), "f:4:7: " + host_port + ", got 'e:0'\n"},
        {with_etcd("host: '::1:1'"),
         "f:4:7: an IPv6 address stands in brackets such as [::1]:2379, got '::1:1'\n"},
        {with_etcd("host: 10.0.1"), "f:4:7: '10.0.1' is neither a host name nor an IP address\n"},
        {with_etcd("host: http://e:1"),
         "f:4:7: " + host_port + ", not a URL (that is the key 'url'), got 'http://e:1'\n"},
        {with_etcd("hosts: []"), "f:4:8: at least one host is needed\n"},
        {with_etcd("hosts: {a: b}"), "f:4:8: expected a list such as [10.0.0.1:2379], got a map\n"},
        {with_etcd("hosts: [e, [f], '']"),
         "f:4:12: expected HOST:PORT, got a list\nf:4:17: " + host_port + ", got ''\n"},
        {with_etcd("hosts: 'e,,f'"), "f:4:8: " + host_port + ", got ''\n"},
        {with_etcd("hosts: [e, 'f:1', 'e:2379']"), "f:4:19: duplicate host 'e:2379'\n"},
        {with_etcd("hosts: 'e,e'"), "f:4:8: duplicate host 'e:2379'\n"},
        {with_etcd("hosts: [e], host: f"), "f:4:13: 'host' cannot stand beside 'hosts'\n"},
        {with_etcd("url: http://e, host: f, hosts: g"),
         "f:4:16: 'host' cannot stand beside 'url'\nf:4:25: 'hosts' cannot stand beside 'url'\n"},
        {with_etcd("url: e"), "f:4:6: " + url + ", got 'e'\n"},
        {with_etcd("url: 'ftp://e'"), "f:4:6: " + url + ", got 'ftp://e'\n"},
        {with_etcd("url: http://e/path"), "f:4:6: " + url + ", got 'http://e/path'\n"},
        {with_etcd("url: https://e, protocol: https"),
         "f:4:17: 'protocol' cannot stand beside 'url', which begins with it\n"},
        {with_etcd("host: e, protocol: htps"),
         "f:4:20: expected one of http, https, got 'htps', did you mean 'https'?\n"},
        {with_etcd("host: e, srv: x, srv_suffix: x, proxy: x, use_proxies: x, discovery_srv: x"),
         "f:4:10: 'srv'" + not_yet + "f:4:18: 'srv_suffix'" + not_yet + "f:4:33: 'proxy'" +
             not_yet + "f:4:43: 'use_proxies'" + not_yet + "f:4:59: 'discovery_srv'" + not_yet},
        // No "missing key 'hosts'" on top.
        {with_etcd("srv: x"), "f:4:1: 'srv'" + not_yet},
    };
    for (const row& r : rows)
    {
        CAPTURE(r.yaml);
        CHECK(problems_in(r.yaml) == r.problem);
    }
}

TEST_CASE("TLS keys without HTTPS are refused, for Patroni would ignore them")
{
    const std::string way = " is for HTTPS only: set 'protocol: https'\n";
    const row rows[] = {
        {with_etcd("host: e, cacert: /ca"), "f:4:10: 'cacert'" + way},
        {with_etcd("host: e, protocol: http, cert: /c, key: /k, verify: false"),
         "f:4:26: 'cert'" + way + "f:4:36: 'key'" + way + "f:4:45: 'verify'" + way},
        {with_etcd("url: http://e, cacert: /ca"),
         "f:4:16: 'cacert' is for HTTPS only: write 'url' with https://\n"},
        {with_etcd("host: e, protocol: https, key: /k"), "f:4:32: 'key' needs 'cert' beside it\n"},
        {with_etcd("host: e, verify: maybe"), "f:4:18: expected true or false, got 'maybe'\n"},
        // Not judged by the default.
        {with_etcd("host: e, cacert: /ca, protocol: [x]"),
         "f:4:33: expected one of http, https, got a list\n"},
        {with_etcd("host: e, cacert: '', cert: '', key: '', verify: true"), ""},
    };
    for (const row& r : rows)
    {
        CAPTURE(r.yaml);
        CHECK(problems_in(r.yaml) == r.problem);
    }
}

TEST_CASE("user and password come together, and the password once")
{
    const secret_file file("s3cret\n");
    const secret_file empty("\ns3cret\n");
    const std::string alone = "'username' needs 'password' or 'password_file' beside it\n";
    const row rows[] = {
        {with_etcd("host: e, username: u"), "f:4:20: " + alone},
        {with_etcd("host: e, password: p"), "f:3:25: missing key 'username'\n"},
        {with_etcd("host: e, username: '', password: ''"), ""},
        {with_etcd("host: e, username: u, password: p, password_file: " + file.path()),
         "f:4:36: 'password_file' cannot stand beside 'password'\n"},
        {with_etcd("host: e, username: u, password_file: " + empty.path()),
         "f:4:38: '" + empty.path() + "': its first line is empty\n"},
        {with_etcd("host: e, username: u, password_file: /nowhere"),
         "f:4:38: '/nowhere': cannot read: No such file or directory\n"},
        {with_etcd("host: e, username: u, password: '$${X}'"), ""},
        {with_etcd("host: e, username: u, password: '${X}'"),
         "f:4:33: environment variable 'X' is not set\n"},
        {with_etcd("url: 'http://u@e'"), "f:4:6: " + alone},
        {with_etcd("url: 'http://u:p@e', username: u, password: p"),
         "f:4:22: 'username' cannot stand beside a user in 'url'\n"
         "f:4:35: 'password' cannot stand beside a user in 'url'\n"},
        {with_sql("user: u, password: p, password_file: " + file.path()),
         "f:4:23: 'password_file' cannot stand beside 'password'\n"},
    };
    for (const row& r : rows)
    {
        CAPTURE(r.yaml);
        CHECK(problems_in(r.yaml) == r.problem);
    }
}

TEST_CASE("no problem repeats a password")
{
    for (const std::string line :
         {"host: 'http://u:s3cret@e'",
          "hosts: ['u:s3cret@e:1']",
          "url: 'ftp://u:s3cret@e'",
          "url: 'http://u:s3cret@e/x'",
          "url: 'http://u:s3cret@'"})
    {
        CAPTURE(line);
        const std::string said = problems_in(with_etcd(line));
        CHECK(said != "");
        CHECK(said.find("s3cret") == std::string::npos);
    }
}

TEST_CASE("sql takes libpq's keys")
{
    const auto small = load_cluster(with_sql("user: u")).sql.value();
    CHECK(small.dbname == "postgres");
    CHECK(small.sslmode == "prefer");

    const auto full = load_cluster(with_sql(
        "user: u, dbname: d, passfile: /p, sslmode: verify-full, sslrootcert: /r, sslcert: /c, "
        "sslkey: /k"
    ));
    CHECK(full.sql == sql_settings{"u", "d", "", "/p", "verify-full", "/r", "/c", "/k"});
    for (const std::string mode :
         {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
        CHECK(load_cluster(with_sql("user: u, sslmode: " + mode)).sql->sslmode == mode);

    const row rows[] = {
        {with_sql(""), "f:3:36: missing key 'user'\n"},
        {with_sql("user: ''"), "f:4:7: expected the name of a PostgreSQL user, got nothing\n"},
        {with_sql("usr: a"), "f:4:1: unknown key 'usr', did you mean 'user'?\n"},
        {with_sql("user: u, sslmode: verify_full"),
         "f:4:19: expected one of disable, allow, prefer, require, verify-ca, verify-full, got "
         "'verify_full', did you mean 'verify-full'?\n"},
        {with_sql("user: u, password: p, passfile: /p"),
         "f:4:23: 'passfile' has no effect beside a password\n"},
    };
    for (const row& r : rows)
    {
        CAPTURE(r.yaml);
        CHECK(problems_in(r.yaml) == r.problem);
    }
}

TEST_CASE("what contradicts the rest of the cluster is shown where it stands")
{
    const std::string patroni = "patroni: {members: [a:1], scope: one}, ";
    const row rows[] = {
        {with_cluster(patroni + "on_dcs_loss: fence"),
         "f:3:58: 'on_dcs_loss: fence' needs 'dcs' beside it\n"},
        {with_cluster(patroni + "on_dcs_loss: fence, dcs: x"), "f:3:70: expected a map, got 'x'\n"},
        {with_cluster(patroni + "on_dcs_loss: reset"),
         "f:3:58: expected one of rest, fence, got 'reset', did you mean 'rest'?\n"},
        {with_cluster(patroni + "on_stale: refuse"),
         "f:3:55: expected one of refuse_new, shutdown_sessions, got 'refuse'\n"},
        {with_cluster(patroni + "dcs: {scope: two, etcd3: {host: e}}"),
         "f:3:58: 'scope' is 'two' here and 'one' in 'patroni'\n"},
        {with_cluster(patroni + "dcs: {scope: [two], etcd3: {host: e}}"),
         "f:3:58: expected text, got a list\n"},
        {with_cluster(patroni + "dcs: {scope: one, etcd3: {host: e}}"), ""},
    };
    for (const row& r : rows)
    {
        CAPTURE(r.yaml);
        CHECK(problems_in(r.yaml) == r.problem);
    }
}

TEST_CASE("what is printed is read back as it was, but for secrets")
{
    settings s =
        load_text(
            with_dcs("scope: demo, group: 1, etcd: {hosts: [e, '[::1]:1'], protocol: https, "
                     "cacert: /ca, cert: /c, verify: false}"),
            "f",
            test_environment
        )
            .value;
    s.clusters[0].sql = sql_settings{"u", "d", "", "/p", "verify-ca", "/r", "/c", "/k"};
    s.clusters[0].on_dcs_loss = dcs_loss::fence;
    s.clusters[0].on_stale = stale_action::shutdown_sessions;
    const load_result again = load_text(print(s), "f", test_environment);
    CHECK(again.problems.empty());
    CHECK(again.value == s);

    s.clusters[0].dcs->tls.reset();
    CHECK(load_text(print(s), "f", test_environment).value == s);

    s.clusters[0].dcs->username = "u";
    s.clusters[0].dcs->password = "s3cret";
    s.clusters[0].sql->password = "s3cret";
    s.clusters[0].sql->passfile.clear();
    const std::string printed = print(s);
    CHECK(printed.find("s3cret") == std::string::npos);
    CHECK(printed.find("      etcd:\n") != std::string::npos);
    CHECK(printed.find("        password: \"*****\"\n") != std::string::npos);
    CHECK(printed.find("      password: \"*****\"\n") != std::string::npos);
    CHECK(load_text(printed, "f", test_environment).problems.empty());
}

TEST_CASE("whatever the bytes are, loading ends with an answer")
{
    const std::string yaml = with_etcd("url: 'https://u:p@[::1]:1/', cacert: /c, verify: true");
    for (std::size_t cut = 0; cut < yaml.size(); ++cut)
    {
        CAPTURE(cut);
        CHECK_NOTHROW(problems_in(yaml.substr(0, cut)));
        for (const char c : {'\0', '\n', '"', '*', '!', '{', ']', ':', '@', '/', '\xff', '$'})
        {
            std::string changed = yaml;
            changed[cut] = c;
            CHECK_NOTHROW(problems_in(changed));
        }
    }
}

TEST_SUITE_END();
