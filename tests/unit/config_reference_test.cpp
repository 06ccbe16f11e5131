// SPDX-License-Identifier: PostgreSQL
//
// config/reference.yaml cannot rot: it is loaded, compared with the defaults in settings.hpp, and
// must mention every key that print() knows.
#include "config/load.hpp"
#include "config/print.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <set>
#include <sstream>

using namespace rolegate::config;
using namespace std::chrono_literals;

namespace
{

std::optional<std::string> no_environment(const std::string&)
{
    return std::nullopt;
}

std::string reference_text()
{
    std::ifstream in(ROLEGATE_SOURCE_DIR "/config/reference.yaml");
    REQUIRE(in.good());
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

settings load_sound(const std::string& yaml)
{
    const load_result loaded = load_text(yaml, "reference.yaml", no_environment);
    for (const problem& p : loaded.problems)
        FAIL_CHECK(to_string(p));
    return loaded.value;
}

std::string first_word(const std::string& line)
{
    std::istringstream in(line);
    std::string word;
    in >> word;
    return word;
}

// Prose starts with "# ", a key that is unset by default with "#" alone.
std::string with_unset_keys(const std::string& yaml)
{
    std::istringstream in(yaml);
    std::string out;
    for (std::string line; std::getline(in, line);)
    {
        const std::size_t mark = line.find_first_not_of(' ');
        if (mark != std::string::npos && line[mark] == '#' && line.substr(mark, 2) != "# " &&
            line.size() > mark + 1)
            line.erase(mark, 1);
        out += line + "\n";
    }
    return out;
}

// "a.b.c" of every key of block-style YAML; entries of clusters and listeners count as "*".
std::set<std::string> key_paths(const std::string& yaml)
{
    std::set<std::string> out;
    std::vector<std::pair<std::size_t, std::string>> above;
    std::istringstream in(yaml);
    for (std::string line; std::getline(in, line);)
    {
        const std::size_t indent = line.find_first_not_of(' ');
        const std::string word = first_word(line);
        if (word.empty() || word.front() == '#' || word.back() != ':')
            continue;
        while (!above.empty() && above.back().first >= indent)
            above.pop_back();
        std::string path = above.empty() ? "" : above.back().second + ".";
        path += path == "clusters." || path == "listeners." ? "*" : word.substr(0, word.size() - 1);
        out.insert(path);
        above.emplace_back(indent, path);
    }
    return out;
}

void set_unset_keys(listener_settings& listener)
{
    listener.match = {{"database", {"orders", "report_*"}}, {"user", {"app"}}};
    listener.maxconn = 5000;
    listener.allow = {{"10.0.0.0", 8}, {"fd00::", 8}, {"192.0.2.7", 32}, {"unix", 0}};
    listener.tls.mode = tls_mode::terminate;
    listener.tls.cert = "/etc/rolegate/server.crt";
    listener.tls.key = "/etc/rolegate/server.key";
    listener.server_tls.sslmode = sslmode::verify_full;
}

void set_unset_demands(listener_settings& listener)
{
    listener.lag = {10 << 20, 5 << 20};
    listener.lag_time = {10s, 5s};
    listener.replication_state = "streaming";
    listener.tags = {{"zone", "a"}};
    listener.prefer_tags = {{"zone", "a"}};
    listener.fallback_primary = true;
}

void add_tcp(settings& s)
{
    cluster_settings& cluster = s.clusters.emplace_back();
    cluster.name = "etcd";
    tcp_settings& tcp = cluster.tcp.emplace();
    tcp.members = {{"10.0.3.64", 2379}, {"10.0.3.78", 2379}, {"10.0.3.32", 2379}};
    tcp.check.fastinter = 1s;
    tcp.check.downinter = 5s;
    tcp.check.timeout = 2s;
    tcp.check.http = http_check_settings{"OPTIONS", "/", 8008, 200};
    listener_settings& listener = s.listeners.emplace_back();
    listener.name = "etcd";
    listener.bind = {{"127.0.0.1", 2379}};
    listener.cluster = "etcd";
    listener.role = listener_role::any;
}

// Every optional part is set, so print() shows every key there is.
settings full_settings()
{
    settings s;
    cluster_settings cluster;
    cluster.name = "main";
    cluster.patroni.members = {{"10.0.3.141", 8008}, {"10.0.3.201", 8008}, {"10.0.3.68", 8008}};
    cluster.patroni.tls = client_tls{};
    cluster.dcs.emplace();
    cluster.dcs->scope = "my-ha-cluster";
    cluster.dcs->group = 0;
    cluster.dcs->hosts = {{"10.0.3.64", 2379}, {"10.0.3.78", 2379}, {"10.0.3.32", 2379}};
    cluster.dcs->tls = client_tls{};
    cluster.sql.emplace();
    cluster.sql->user = "rolegate";
    cluster.check =
        check_settings{2s, 1s, 5s, 2, 3, 2s, http_check_settings{"OPTIONS", "/", 8008, 200}};
    cluster.stale_after = 10s;
    cluster.default_member.maxconn = 100;
    cluster.member_options["batman"] = {5, 50, 10, 30s, true};
    s.clusters.push_back(cluster);
    cluster_settings plain;
    plain.name = "plain";
    plain.postgres.emplace();
    plain.postgres->members = {{"batman", 5432}, {"robin", 5432}};
    plain.postgres->sql.user = "rolegate";
    s.clusters.push_back(plain);
    listener_settings listener;
    listener.name = "write";
    listener.bind = {{"*", 5432}};
    listener.cluster = "main";
    s.listeners.push_back(listener);
    listener.name = "read";
    listener.bind = {{"*", 5433}};
    listener.role = listener_role::replica;
    s.listeners.push_back(listener);
    set_unset_keys(s.listeners[0]);
    set_unset_demands(s.listeners[1]);
    add_tcp(s);
    s.maxconn = 20000;
    s.admin.users = {{"dba", "$6$Ca5Y/Zf8N3hYxTRx$oYAQNiHZ1"}};
    s.admin.tls = admin_tls{
        "/etc/rolegate/admin.crt", "/etc/rolegate/admin.key", "/etc/rolegate/clients.crt"};
    return s;
}

} // namespace

TEST_SUITE_BEGIN("config/reference");

TEST_CASE("the values of the reference are the defaults")
{
    settings expected = full_settings();
    expected.clusters.pop_back();
    expected.clusters.pop_back();
    expected.listeners.pop_back();
    expected.clusters[0].patroni.tls.reset();
    expected.clusters[0].dcs.reset();
    expected.clusters[0].sql.reset();
    expected.clusters[0].check.reset();
    expected.clusters[0].stale_after.reset();
    expected.clusters[0].default_member = {};
    expected.clusters[0].member_options.clear();
    expected.listeners[0].maxconn.reset();
    expected.listeners[0].match.clear();
    expected.listeners[0].allow.clear();
    expected.listeners[0].tls = {};
    expected.listeners[0].server_tls = {};
    static_cast<member_demand&>(expected.listeners[1]) = {};
    expected.listeners[1].role = listener_role::replica;
    expected.maxconn.reset();
    expected.admin = {};

    CHECK(load_sound(reference_text()) == expected);
}

TEST_CASE("the unset keys of the reference are right, too")
{
    CHECK(load_sound(with_unset_keys(reference_text())) == full_settings());
}

TEST_CASE("the reference mentions every key, and no other")
{
    CHECK(key_paths(with_unset_keys(reference_text())) == key_paths(print(full_settings())));
}

TEST_CASE("the reference fits a terminal of 100 columns and has no tab")
{
    std::istringstream in(reference_text());
    for (std::string line; std::getline(in, line);)
    {
        CAPTURE(line);
        CHECK(line.size() <= 100);
        CHECK(line.find('\t') == std::string::npos);
    }
}

TEST_SUITE_END();
