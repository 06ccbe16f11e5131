// SPDX-License-Identifier: PostgreSQL
//
// Patroni's own configuration, a file or a folder, and the environment over it.
#include "config/patroni_yaml.hpp"

#include "config/dcs_address.hpp"
#include "config/patroni_etcd.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

using namespace rolegate::config;
namespace fs = std::filesystem;

namespace
{

using variables = std::map<std::string, std::string>;

environment environment_of(variables set)
{
    return [set = std::move(set)](const std::string& name)
    {
        const auto found = set.find(name);
        return found == set.end() ? std::nullopt : std::optional<std::string>(found->second);
    };
}

// Gone with the guard.
class folder
{
public:
    folder()
    {
        char name[] = "/tmp/rolegate-patroni-XXXXXX";
        REQUIRE(mkdtemp(name) != nullptr);
        path_ = name;
    }
    ~folder()
    {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;

    std::string add(const std::string& name, const std::string& text) const
    {
        std::ofstream(path_ / name) << text;
        return (path_ / name).string();
    }
    std::string path() const { return path_.string(); }

private:
    fs::path path_;
};

load_result load(const std::string& yaml, const variables& set = {})
{
    const folder in;
    return load_patroni_config(in.add("p.yml", yaml), {}, environment_of(set));
}

// The path of the file stands as "p.yml".
std::string problems_in(const std::string& yaml, const variables& set = {})
{
    std::string out;
    for (problem p : load(yaml, set).problems)
    {
        if (p.file.ends_with("/p.yml"))
            p.file = "p.yml";
        out += to_string(p) + "\n";
    }
    return out;
}

cluster_settings load_cluster(const std::string& yaml, const variables& set = {})
{
    CAPTURE(yaml);
    REQUIRE(problems_in(yaml, set) == "");
    return load(yaml, set).value.clusters.at(0);
}

dcs_settings load_dcs(const std::string& yaml, const variables& set = {})
{
    return load_cluster("scope: demo\n" + yaml, set).dcs.value();
}

using hosts = std::vector<host_port>;

const std::string sound = "scope: demo\netcd3: {host: e}\n";

struct row
{
    std::string yaml;
    std::string problem;
};

} // namespace

TEST_SUITE_BEGIN("config/patroni_yaml");

TEST_CASE("a whole configuration, as deploy/demo writes it, gives one cluster and two listeners")
{
    const std::string yaml = R"(scope: demo
namespace: /service
name: pg-1
etcd3:
  hosts: 127.0.0.10:2379
restapi:
  listen: 127.0.0.11:8008
  connect_address: 127.0.0.11:8008
bootstrap:
  dcs:
    ttl: 30
    postgresql:
      use_pg_rewind: true
      parameters: {max_connections: 300, fsync: 'off'}
  initdb:
  - encoding: UTF8
  - data-checksums
postgresql:
  listen: 127.0.0.11:5434
  authentication:
    superuser: {username: postgres, password: "${not} expanded"}
  pg_hba:
  - host all all 127.0.0.0/8 trust
tags: {nofailover: false}
)";

    const load_result loaded = load(yaml);

    CHECK(problems_in(yaml) == "");
    cluster_settings cluster;
    cluster.name = "main";
    cluster.patroni.members = {{"127.0.0.11", 8008}};
    cluster.patroni.scope = "demo";
    cluster.dcs.emplace();
    cluster.dcs->scope = "demo";
    cluster.dcs->hosts = {{"127.0.0.10", 2379}};
    settings expected = settings_from_seeds({"127.0.0.11:8008", {}}).value;
    expected.clusters = {cluster};
    CHECK(loaded.value == expected);
}

TEST_CASE("the binds of the command line are used and judged")
{
    const folder in;
    const std::string file = in.add("p.yml", sound);
    const bind_options binds{"127.0.0.1:6432", "[::1]:6433", "0.0.0.0:7001"};
    const load_result loaded = load_patroni_config(file, binds, environment_of({}));
    CHECK(loaded.problems.empty());
    CHECK(loaded.value.listeners[0].bind == hosts{{"127.0.0.1", 6432}});
    CHECK(loaded.value.listeners[1].bind == hosts{{"::1", 6433}});
    CHECK(loaded.value.admin.bind == host_port{"0.0.0.0", 7001});

    const std::string bad = in.add("bad.yml", "etcd3: {host: e}\n");
    std::string said;
    for (const problem& p :
         load_patroni_config(bad, {"x", "*:7000", "127.0.0.1:7000"}, environment_of({})).problems)
        said += to_string(p) + "\n";
    CHECK(
        said ==
        bad + ":1:1: missing key 'scope'\n" +
            "--write-bind: expected ADDR:PORT such as *:5432 or [::]:5432, got 'x'\n"
            "--admin-bind: admin cannot bind '127.0.0.1:7000': listener 'read' binds '*:7000'\n"
    );
}

TEST_CASE("the REST API of the file's own node is the seed")
{
    struct seed_row
    {
        std::string rest;
        hosts seeds;
    };
    const seed_row rows[] = {
        {"{}", {}},
        {"{connect_address: 'a:1', listen: 'b:2'}", {{"a", 1}}},
        {"{listen: 'b:2'}", {{"b", 2}}},
        {"{listen: '0.0.0.0:2'}", {{"127.0.0.1", 2}}},
        {"{listen: '*:2'}", {{"127.0.0.1", 2}}},
        {"{listen: '[::]:2'}", {{"127.0.0.1", 2}}},
        {"{listen: ':::2'}", {{"127.0.0.1", 2}}},
        {"{listen: '::1:2'}", {{"::1", 2}}},
        {"{connect_address: '', listen: '[fe80::1]:2'}", {{"fe80::1", 2}}},
    };
    for (const seed_row& r : rows)
    {
        CAPTURE(r.rest);
        CHECK(load_cluster(sound + "restapi: " + r.rest + "\n").patroni.members == r.seeds);
    }
    CHECK(
        load_cluster(sound, {{"PATRONI_RESTAPI_LISTEN", "0.0.0.0:1"}}).patroni.members ==
        hosts{{"127.0.0.1", 1}}
    );
    CHECK(
        load_cluster(
            sound + "restapi: {connect_address: 'a:1'}\n",
            {{"PATRONI_RESTAPI_CONNECT_ADDRESS", "b:2"}}
        ).patroni.members == hosts{{"b", 2}}
    );
}

TEST_CASE("HTTPS to REST is what Patroni's own members use")
{
    const auto tls = [](const std::string& more, const variables& set = {})
    { return load_cluster(sound + more, set).patroni.tls; };
    const std::string at = "restapi:\n  connect_address: a:1\n";

    CHECK_FALSE(tls("").has_value());
    // The seed speaks HTTP whatever we could show.
    CHECK_FALSE(tls(at + "ctl: {cacert: /ca, certfile: /c, keyfile: /k}\n").has_value());
    CHECK(tls(at + "  certfile: /c\n  keyfile: /k\n") == client_tls{"", "/c", "/k", true});
    CHECK(tls(at + "  certfile: /c\n  cafile: /ca\n") == client_tls{"/ca", "/c", "/c", true});
    CHECK(
        tls(at + "  certfile: /c\n  keyfile: /k\n  cafile: /ca\n"
                 "ctl: {cacert: /CA, certfile: /C, keyfile: /K, insecure: on}\n") ==
        client_tls{"/CA", "/C", "/K", false}
    );
    // As in a file for patronictl.
    CHECK(tls("ctl: {cacert: /ca}\n") == client_tls{"/ca", "", "", true});
    CHECK(tls("ctl: {insecure: True}\n") == client_tls{"", "", "", false});
    CHECK_FALSE(tls("ctl: {insecure: 'no'}\n").has_value());
    CHECK(
        tls(at,
            {{"PATRONI_RESTAPI_CERTFILE", "/c"},
             {"PATRONI_RESTAPI_KEYFILE", "/k"},
             {"PATRONI_RESTAPI_CAFILE", "/ca"},
             {"PATRONI_CTL_CERTFILE", "/C"},
             {"PATRONI_CTL_INSECURE", "true"}}) == client_tls{"/ca", "/C", "/k", false}
    );
    CHECK(
        tls("",
            {{"PATRONI_CTL_CACERT", "/a"},
             {"PATRONI_CTL_CERTFILE", "/c"},
             {"PATRONI_CTL_KEYFILE", "/k"}}) == client_tls{"/a", "/c", "/k", true}
    );
}

TEST_CASE("etcd is read as Patroni reads it")
{
    CHECK(load_dcs("etcd3: {host: e}").hosts == hosts{{"e", 2379}});
    CHECK(load_dcs("etcd: {host: 'e:1'}").kind == dcs_kind::etcd);
    CHECK(load_dcs("etcd3: {host: e, port: 1}").hosts == hosts{{"e", 1}});
    CHECK(load_dcs("etcd3: {hosts: 'e:1, f'}").hosts == hosts{{"e", 1}, {"f", 2379}});
    CHECK(load_dcs("etcd3: {hosts: [e, '::1:1', e]}").hosts == hosts{{"e", 2379}, {"::1", 1}});
    // url before hosts before host; etcd before etcd3, both by the order in Patroni.
    CHECK(load_dcs("etcd3: {url: 'http://u:1', hosts: h, host: e}").hosts == hosts{{"u", 1}});
    CHECK(load_dcs("etcd3: {hosts: h, host: e}").hosts == hosts{{"h", 2379}});
    CHECK(load_dcs("etcd3: {hosts: h, srv: x, use_proxies: true}").hosts == hosts{{"h", 2379}});
    CHECK(load_dcs("etcd3: {host: e}\netcd: {host: f}").kind == dcs_kind::etcd);

    const dcs_settings full = load_dcs(
        "namespace: db\netcd3: {host: e, protocol: https, username: u, password: $x, cacert: /ca, "
        "cert: /c, key: /k}\ncitus: {group: 0, database: d}"
    );
    CHECK(full.name_space == "db");
    CHECK(full.group == 0);
    CHECK(full.username == "u");
    CHECK(full.password == "$x");
    CHECK(full.tls == client_tls{"/ca", "/c", "/k", true});
    CHECK(load_dcs("etcd3: {url: 'https://u:p@e', cert: /c}").tls->key == "/c");
    CHECK(load_dcs("etcd3: {url: 'https://u:p@e', username: x, password: y}").password == "p");
    // What Patroni ignores.
    CHECK_FALSE(load_dcs("etcd3: {host: e, cacert: /ca, cert: /c}").tls.has_value());
    CHECK(load_dcs("etcd3: {host: e, username: u}").username == "");
    CHECK(load_dcs("etcd3: {host: e, password: p}").password == "");
    CHECK(load_dcs("etcd3: {host: e, protocol: https, key: /k}").tls == client_tls{});
}

TEST_CASE("the environment wins over the file")
{
    const std::string yaml = "scope: demo\nnamespace: /db\netcd3:\n  hosts: [a, b]\n"
                             "citus: {group: 1, database: d}\n";
    const cluster_settings c = load_cluster(
        yaml,
        {{"PATRONI_SCOPE", "other"},
         {"PATRONI_NAMESPACE", "/ns"},
         {"PATRONI_NAME", "pg-9"},
         {"PATRONI_ETCD3_HOSTS", "'x:1','y:2'"},
         {"PATRONI_ETCD3_PROTOCOL", "https"},
         {"PATRONI_ETCD3_USERNAME", "u"},
         {"PATRONI_ETCD3_PASSWORD", "p"},
         {"PATRONI_ETCD3_CACERT", "/ca"},
         {"PATRONI_ETCD3_CERT", "/c"},
         {"PATRONI_ETCD3_KEY", "/k"},
         {"PATRONI_CITUS_GROUP", "2"}}
    );
    dcs_settings expected;
    expected.scope = "other";
    expected.name_space = "/ns";
    expected.group = 2;
    expected.hosts = {{"x", 1}, {"y", 2}};
    expected.username = "u";
    expected.password = "p";
    expected.tls = client_tls{"/ca", "/c", "/k", true};
    CHECK(c.dcs == expected);

    CHECK(load_dcs("", {{"PATRONI_ETCD3_HOST", "e:1"}}).hosts == hosts{{"e", 1}});
    CHECK(load_dcs("", {{"PATRONI_ETCD3_URL", "https://e"}}).tls == client_tls{});
    CHECK(load_dcs("", {{"PATRONI_ETCD_HOST", "e"}}).kind == dcs_kind::etcd);
    CHECK(
        load_cluster("", {{"PATRONI_SCOPE", "s"}, {"PATRONI_ETCD_URL", "http://e"}}).dcs->scope ==
        "s"
    );
    CHECK(load_dcs("etcd3: {host: e}", {{"PATRONI_ETCD3_HOST", ""}}).hosts == hosts{{"e", 2379}});
    for (const std::string list :
         {"x:1,y:2", "x:1, y:2", "[x:1, y:2]", "['x:1', \"y:2\"]", "- x:1\n- y:2"})
    {
        CAPTURE(list);
        CHECK(load_dcs("", {{"PATRONI_ETCD3_HOSTS", list}}).hosts == hosts{{"x", 1}, {"y", 2}});
    }
    CHECK(
        load_dcs("", {{"PATRONI_ETCD3_HOSTS", "[::1]:1,[::2]:2"}}).hosts ==
        hosts{{"::1", 1}, {"::2", 2}}
    );
}

TEST_CASE("the files of a folder are laid over each other in the order of their names")
{
    const folder in;
    in.add("20-b.yaml", "namespace: /b\netcd3: {host: f}\nrestapi: ~\n");
    in.add(
        "10-a.yml",
        "scope: demo\nnamespace: /a\netcd3: {host: e, protocol: https}\n"
        "restapi: {connect_address: 'a:1'}\n"
    );
    in.add("30-c.conf", "scope: ignored\n");

    const load_result loaded = load_patroni_config(in.path(), {}, environment_of({}));

    REQUIRE(loaded.problems.empty());
    const cluster_settings& c = loaded.value.clusters[0];
    CHECK(c.dcs->scope == "demo");
    CHECK(c.dcs->name_space == "/b");
    CHECK(c.dcs->hosts == hosts{{"f", 2379}});
    CHECK(c.dcs->tls.has_value());
    CHECK(c.patroni.members.empty());

    const std::string bad = in.add("40.yml", "scope:\n  [x]\n");
    const load_result refused = load_patroni_config(in.path(), {}, environment_of({}));
    REQUIRE(refused.problems.size() == 1);
    CHECK(to_string(refused.problems[0]) == bad + ":2:3: expected text, got a list");
}

TEST_CASE("of duplicate keys the last counts, as it does for Patroni")
{
    CHECK(load_dcs("etcd3: {host: e}\netcd3: {host: f, host: g}").hosts == hosts{{"g", 2379}});
}

TEST_CASE("aliases and tags matter only where a value is wanted")
{
    CHECK(problems_in(sound + "tags: &t {a: b}\npostgresql: {<<: *t, x: !vault y}\n") == "");
    const std::string no_alias = "YAML aliases are not supported, write the value out\n";
    CHECK(problems_in("scope: &s demo\netcd3: {host: *s}\n") == "p.yml:2:15: " + no_alias);
    CHECK(
        problems_in("x: &s {host: e}\nscope: demo\netcd3: {<<: *s, username: u}\n")
            .find("p.yml:3:13: " + no_alias) != std::string::npos
    );
    CHECK(
        problems_in(sound + "namespace: !vault y\n") ==
        "p.yml:3:12: YAML tag '!vault' is not supported\n"
    );
}

TEST_CASE("what is missing or wrong is shown where it stands")
{
    const std::string instead = "to go by Patroni's REST APIs alone, use --patroni ";
    const std::string port = "expected HOST:PORT such as 10.0.0.1:2379";
    const row rows[] = {
        {"",
         "p.yml: missing key 'scope'\n"
         "p.yml: no DCS here, 'etcd3' or 'etcd' is needed; " +
             instead + "HOST:PORT\n"},
        {"etcd3: {host: e}\n", "p.yml:1:1: missing key 'scope'\n"},
        {"scope: ''\netcd3: {host: e}\n", "p.yml:1:8: missing key 'scope'\n"},
        {"scope: ~\netcd3: {host: e}\n", "p.yml:1:1: missing key 'scope'\n"},
        {"scope: [x]\netcd3: {host: e}\n", "p.yml:1:8: expected text, got a list\n"},
        {"scope: demo\nrestapi: {listen: '*:8008'}\n",
         "p.yml:1:1: no DCS here, 'etcd3' or 'etcd' is needed; " + instead + "127.0.0.1:8008\n"},
        {"scope: demo\netcd3: ~\n",
         "p.yml:1:1: no DCS here, 'etcd3' or 'etcd' is needed; " + instead + "HOST:PORT\n"},
        {"scope: demo\netcd3: {}\n", "p.yml:2:1: missing key 'hosts' in 'etcd3'\n"},
        {"scope: demo\netcd3: x\n", "p.yml:2:8: missing key 'hosts' in 'etcd3'\n"},
        {"scope: demo\netcd3: {host: ''}\n", "p.yml:2:1: missing key 'hosts' in 'etcd3'\n"},
        {"scope: demo\netcd3: {hosts: ''}\n", "p.yml:2:16: " + port + ", got ''\n"},
        {"scope: demo\netcd3: {hosts: []}\n", "p.yml:2:9: at least one host is needed\n"},
        {"scope: demo\netcd3: {hosts: {a: b}}\n",
         "p.yml:2:9: expected a list such as [10.0.0.1:2379]\n"},
        {"scope: demo\netcd3: {hosts: [e, [f]]}\n", "p.yml:2:20: " + port + "\n"},
        {"scope: demo\netcd3: {host: e, port: x}\n", "p.yml:2:24: expected a port, got 'x'\n"},
        {"scope: demo\netcd3: {host: e, protocol: tcp}\n",
         "p.yml:2:28: expected one of http, https, got 'tcp'\n"},
        {"scope: demo\netcd3: {url: e}\n",
         "p.yml:2:14: expected a URL such as https://10.0.0.1:2379, got 'e'\n"},
        {"scope: demo\netcd3: {srv: e}\n",
         "p.yml:2:14: 'etcd3.srv' is not supported by this version yet; name 'hosts'\n"},
        {"scope: demo\netcd: {proxy: 'http://e', host: e}\n",
         "p.yml:2:15: 'etcd.proxy' is not supported by this version yet; name 'hosts'\n"},
        {sound + "restapi: {connect_address: 'http://a:1'}\n",
         "p.yml:3:28: expected HOST:PORT such as 10.0.0.1:8008, got 'http://a:1'\n"},
        {sound + "restapi: {listen: a}\n",
         "p.yml:3:19: expected HOST:PORT such as 10.0.0.1:8008, got 'a'\n"},
        {sound + "ctl: {insecure: maybe}\n", "p.yml:3:17: expected true or false, got 'maybe'\n"},
        {sound + "ctl: {certfile: /c, keyfile_password: s3cret}\n",
         "p.yml:3:39: 'keyfile_password' is not supported by this version yet\n"},
        {sound + "citus: {group: x, database: d}\n",
         "p.yml:3:16: expected a whole number, got 'x'\n"},
        {sound + "citus: {group: 1}\n",
         "p.yml:3:16: Patroni ignores citus.group without citus.database beside it\n"},
        {"scope: [demo\n", "p.yml:2:1: not valid YAML: end of sequence flow not found\n"},
        {"scope: a: b\n", "p.yml:1:9: not valid YAML: illegal map value\n"},
        {"- scope\n", "p.yml:1:1: expected a map, as Patroni's configuration is one\n"},
    };
    for (const row& r : rows)
    {
        CAPTURE(r.yaml);
        CHECK(problems_in(r.yaml) == r.problem);
    }
}

TEST_CASE("a variable of the environment is named when it is wrong")
{
    CHECK(
        problems_in(sound, {{"PATRONI_ETCD3_HOSTS", "e:x"}, {"PATRONI_CITUS_GROUP", "-1"}}) ==
        "PATRONI_CITUS_GROUP: expected a whole number, got '-1'\n"
        "PATRONI_ETCD3_HOSTS: expected HOST:PORT such as 10.0.0.1:2379, got 'e:x'\n"
    );
    CHECK(
        problems_in(sound, {{"PATRONI_ETCD3_URL", "ftp://u:s3cret@e"}}) ==
        "PATRONI_ETCD3_URL: expected a URL such as https://10.0.0.1:2379\n"
    );
}

TEST_CASE("a DCS of a later version is named, and --patroni offered")
{
    for (const std::string kind : {"consul", "exhibitor", "kubernetes", "raft", "zookeeper"})
    {
        CAPTURE(kind);
        CHECK(
            problems_in("scope: demo\nrestapi: {connect_address: 'a:1'}\n" + kind + ": {x: y}\n") ==
            "p.yml:3:1: '" + kind +
                "' is not supported by this version yet; to go by Patroni's REST APIs alone, use "
                "--patroni a:1\n"
        );
    }
    CHECK(
        problems_in("scope: demo\n", {{"PATRONI_ZOOKEEPER_HOSTS", "z:2181"}}) ==
        "PATRONI_ZOOKEEPER_HOSTS: 'zookeeper' is not supported by this version yet; to go by "
        "Patroni's REST APIs alone, use --patroni HOST:PORT\n"
    );
    // Patroni takes the first by name.
    CHECK(problems_in(sound + "consul: {host: c}\n").starts_with("p.yml:3:1: 'consul' is not"));
    CHECK(problems_in(sound + "zookeeper: {hosts: [z]}\n") == "");
}

TEST_CASE("a file or folder that cannot be read says why, and nothing is missed in it")
{
    const folder in;
    const auto said = [&](const std::string& path)
    {
        std::string out;
        for (const problem& p : load_patroni_config(path, {}, environment_of({})).problems)
            out += to_string(p) + "\n";
        return out;
    };
    CHECK(
        said(in.path() + "/none") == in.path() + "/none: cannot read: No such file or directory\n"
    );
    CHECK(said(in.path()) == in.path() + ": no file *.yml or *.yaml in this folder\n");
    const std::string large = in.add("large.yml", std::string((1 << 20) + 1, '#'));
    CHECK(said(large) == large + ": larger than 1MB\n");
}

TEST_CASE("whatever the bytes are, loading ends with an answer")
{
    const std::string yaml =
        "scope: demo\nrestapi: {listen: '[::]:1'}\netcd3: {hosts: [e, 'f:1']}\n";
    for (std::size_t cut = 0; cut < yaml.size(); ++cut)
    {
        CAPTURE(cut);
        CHECK_NOTHROW(load(yaml.substr(0, cut)));
        for (const char c : {'\0', '\n', '*', '!', '{', ']', ':', '@', '\xff'})
        {
            std::string changed = yaml;
            changed[cut] = c;
            CHECK_NOTHROW(load(changed));
        }
    }
}

TEST_SUITE_END();
