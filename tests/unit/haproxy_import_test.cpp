// SPDX-License-Identifier: PostgreSQL
//
// Sections in front of Patroni to clusters and listeners.
#include "tests/support/imported.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using namespace std::chrono_literals;
using config::host_port;
using config::listener_role;
using test::import_cfg;

namespace
{

// A listen in front of Patroni, with more lines.
std::string listen(const std::string& more)
{
    return "listen pg\n bind *:5000\n option httpchk OPTIONS /primary\n" + more +
           " server a 10.0.0.1:5432 check port 8008\n";
}

} // namespace

TEST_SUITE_BEGIN("config/haproxy/import");

TEST_CASE("sections that ask the same Patroni are listeners of one cluster")
{
    const auto made = import_cfg(R"(
global
    maxconn 100
    nbthread 2
    hard-stop-after 1m
defaults
    mode tcp
    timeout client 30m
    timeout connect 5s
    timeout server 20m
    timeout check 5s
listen stats
    mode http
    bind *:7000
    stats enable
    stats uri /
listen primary
    bind *:5000
    option httpchk OPTIONS /primary
    http-check expect status 200
    default-server inter 3s fall 3 rise 2 on-marked-down shutdown-sessions
    server a 10.0.0.1:5432 maxconn 100 check port 8008
    server b 10.0.0.2:5432 maxconn 100 check port 8008
listen replicas
    bind *:5001
    balance leastconn
    option httpchk OPTIONS /replica
    http-check expect status 200
    default-server inter 2s on-marked-down shutdown-sessions
    server b 10.0.0.2:5432 maxconn 100 check port 8008
    server a 10.0.0.1:5432 maxconn 100 check port 8008
)");
    CHECK_FALSE(made.book.has_refused());
    REQUIRE(made.value.clusters.size() == 1);
    const auto& cluster = made.value.clusters[0];
    CHECK(cluster.name == "main");
    CHECK(
        cluster.patroni.members == std::vector<host_port>{{"10.0.0.1", 8008}, {"10.0.0.2", 8008}}
    );
    CHECK(cluster.patroni.interval == 2s);
    CHECK(cluster.patroni.timeout == 5s);
    CHECK(cluster.default_member.maxconn == 100);
    REQUIRE(made.value.listeners.size() == 2);
    const auto& write = made.value.listeners[0];
    CHECK(write.name == "primary");
    CHECK(write.bind == std::vector<host_port>{{"*", 5000}});
    CHECK(write.role == listener_role::primary);
    CHECK(write.timeouts.connect == 5s);
    CHECK(write.timeouts.client == 30min);
    CHECK(write.timeouts.server == 20min);
    CHECK(write.on_marked_down == config::marked_down_action::shutdown_sessions);
    const auto& read = made.value.listeners[1];
    CHECK(read.role == listener_role::replica);
    CHECK(read.balance == config::balance_algorithm::leastconn);
    CHECK(made.value.admin.bind == host_port{"*", 7000});
    CHECK(made.value.maxconn == 100);
    CHECK(made.value.workers == 2);
    CHECK(made.value.shutdown_timeout == 1min);
    CHECK(made.says("'rise': the leader lock"));
}

TEST_CASE("the result is deterministic and says at the top what to check")
{
    const auto made = import_cfg(listen(""));
    CHECK(made.yaml == import_cfg(listen("")).yaml);
    CHECK(made.yaml.starts_with("# Made from 'haproxy.cfg' by `rolegate import-haproxy`."));
    CHECK(made.yaml.find("rolegate check -c FILE") != std::string::npos);
}

TEST_CASE("members that are treated otherwise are another cluster")
{
    const auto made = import_cfg(listen(" default-server maxconn 10\n") + R"(
listen two
    bind *:5001
    option httpchk GET /replica
    server a 10.0.0.1:5432 check port 8008 maxconn 20
)");
    REQUIRE(made.value.clusters.size() == 2);
    CHECK(made.value.clusters[1].name == "two");
    CHECK(made.value.listeners[1].cluster == "two");
    CHECK_FALSE(made.book.has_refused());
}

TEST_CASE("what one server gets and another not cannot be said of Patroni's members")
{
    const auto made = import_cfg(R"(
listen r
    bind *:5001
    option httpchk GET /replica
    server a 10.0.0.1:5432 check port 8008
    server b 10.0.0.2:5432 check port 8008 weight 5 backup
)");
    CHECK(made.book.of(6) == config::haproxy::verdict::refused);
    CHECK(made.value.clusters[0].member_options.at("b").weight == 5);
    // ... but beside a role that one member has it means nothing.
    const auto primary = import_cfg(listen(" server b 10.0.0.2:5432 check port 8008 backup\n"));
    CHECK_FALSE(primary.book.has_refused());
    CHECK(primary.value.clusters[0].member_options.empty());
    CHECK(primary.says("4: ignored: 'backup': one member"));
}

TEST_CASE("H-122 the last check of a section holds")
{
    const std::string head = "listen pg\n bind *:5000\n";
    const std::string server = " server a 10.0.0.1:5432 check port 8008\n";
    const auto http =
        import_cfg(head + " option tcp-check\n option httpchk GET /leader\n" + server);
    CHECK_FALSE(http.book.has_refused());
    CHECK(http.book.of(3) == config::haproxy::verdict::ignored);
    CHECK(http.value.listeners[0].role == listener_role::leader);
    const auto tcp = import_cfg(head + " option httpchk GET /leader\n option tcp-check\n" + server);
    CHECK(tcp.value.clusters[0].tcp);
    CHECK(tcp.says("5: refused: 'port': without `option httpchk`"));
}

TEST_CASE("the request may be given in several ways")
{
    const auto role = [](const std::string& lines)
    {
        const auto made = import_cfg(
            "listen pg\n bind *:5000\n" + lines + " server a 10.0.0.1:5432 check port 8008\n"
        );
        CHECK_FALSE(made.book.has_refused());
        return made.value.listeners.at(0).role;
    };
    CHECK(role(" option httpchk\n") == listener_role::primary);
    CHECK(role(" option httpchk /replica\n") == listener_role::replica);
    CHECK(role(" option httpchk HEAD /replica\n") == listener_role::replica);
    CHECK(role(" option httpchk GET /sync HTTP/1.1\\r\\nHost:\\ x\n") == listener_role::sync);
    CHECK(
        role(" http-check send meth OPTIONS uri /replica ver HTTP/1.1 hdr Host a\n"
             " option httpchk\n") == listener_role::replica
    );
    CHECK(
        role(" option httpchk GET /read-only\n http-check expect ! status 503\n") ==
        listener_role::read_only
    );
    CHECK(
        role(" option httpchk GET /replica\n http-check expect rstatus (2|3)[0-9][0-9]\n") ==
        listener_role::replica
    );
}

TEST_CASE("expectations that Patroni's roles do not mean are refused")
{
    for (const char* line :
         {"http-check expect string running",
          "http-check expect status 503",
          "http-check expect ! status 200",
          "http-check expect rstatus 5..",
          "http-check connect port 8009"})
    {
        const auto made = import_cfg(listen(std::string(" ") + line + "\n"));
        CHECK_MESSAGE(made.book.of(4) == config::haproxy::verdict::refused, line);
    }
}

TEST_CASE("REST over TLS")
{
    const auto made = import_cfg(R"(
global
    ca-base /etc/ssl
listen pg
    bind *:5000
    option httpchk OPTIONS /primary
    server a 10.0.0.1:5432 check check-ssl port 8008 verify required ca-file ca.pem crt /c.pem
)");
    REQUIRE(made.value.clusters[0].patroni.tls);
    const auto& tls = *made.value.clusters[0].patroni.tls;
    CHECK(tls.ca == "/etc/ssl/ca.pem");
    CHECK(tls.cert == "/c.pem");
    CHECK(tls.key == "/c.pem");
    CHECK(tls.verify);
    const auto open =
        import_cfg("global\n ssl-server-verify none\n" + listen(" default-server check-ssl\n"));
    CHECK_FALSE(open.value.clusters[0].patroni.tls->verify);
}

TEST_CASE("clients go where Patroni says, which may be another port")
{
    const auto other = import_cfg(
        "listen pg\n bind *:5000\n option httpchk /primary\n server a h:5434 check port 8008\n"
    );
    CHECK(other.says("4: note: 'h:5434': clients go where Patroni says"));
    CHECK(other.value.clusters[0].patroni.address_map.empty());
    const auto pooler = import_cfg(
        "listen pg\n bind *:5000\n option httpchk /primary\n server a h:6432 check port 8008\n"
    );
    CHECK(
        pooler.value.clusters[0].patroni.address_map ==
        config::address_map{{"h:5432", host_port{"h", 6432}}}
    );
}

TEST_CASE("server-template is one name, of which Patroni knows the rest")
{
    const auto made = import_cfg(R"(
listen pg
    bind *:5000
    option httpchk OPTIONS /primary
    server-template pg 3 tasks.pg:5432 check port 8008 resolvers docker init-addr libc,none
)");
    CHECK_FALSE(made.book.has_refused());
    CHECK(made.value.clusters[0].patroni.members == std::vector<host_port>{{"tasks.pg", 8008}});
    const auto srv = import_cfg("listen pg\n bind *:5000\n option httpchk /primary\n"
                                " server-template pg 3 _pg._tcp.x check port 8008\n");
    CHECK(srv.book.of(4) == config::haproxy::verdict::refused);
}

TEST_CASE("a port with / or /health is Patroni's where another section shows it, or by its number")
{
    const std::string text =
        "listen a\n bind *:1\n option httpchk\n server x h:5432 check port 9999\n";
    CHECK(import_cfg(text).value.clusters[0].tcp);
    const auto both = import_cfg(
        text + "listen b\n bind *:2\n option httpchk /replica\n server x h:5432 check port 9999\n"
    );
    CHECK(both.value.clusters.size() == 1);
    CHECK(both.value.listeners[0].role == listener_role::primary);
}

TEST_CASE("timeouts")
{
    const auto made = import_cfg(listen(" timeout client 0\n timeout server-fin 10s\n"
                                        " timeout client-fin 1m\n timeout queue 20s\n"
                                        " timeout connect 0\n timeout http-request 1s\n"));
    const auto& l = made.value.listeners[0];
    CHECK(l.timeouts.client == 0ms);
    CHECK(l.timeouts.client_fin == 1min);
    CHECK(l.queue.timeout == 20s);
    CHECK(l.timeouts.connect == 4s);
    CHECK_FALSE(made.book.has_refused());
    const auto tunnel = import_cfg(listen(" timeout client 1s\n timeout tunnel 2h\n"));
    CHECK(tunnel.value.listeners[0].timeouts.client == 2h);
    CHECK(tunnel.value.listeners[0].timeouts.server == 2h);
    for (const char* wrong : {"timeout client 2d", "timeout client x", "timeout mine 1s"})
        CHECK_MESSAGE(
            import_cfg(listen(std::string(" ") + wrong + "\n")).book.has_refused(), wrong
        );
    CHECK(import_cfg(listen(" timeout queue 5s\n")).says("shorter than a failover takes"));
    CHECK(import_cfg(listen(" clitimeout 5000\n")).value.listeners[0].timeouts.client == 5s);
}

TEST_CASE("what happens to sessions of a server that is down")
{
    using config::marked_down_action;
    const auto read = [](const std::string& words)
    {
        return import_cfg(
            "listen r\n bind *:1\n option httpchk /replica\n"
            " server a h:5432 check port 8008 " +
            words + "\n"
        );
    };
    CHECK(read("").value.listeners[0].on_marked_down == marked_down_action::none);
    CHECK(
        read("on-marked-down shutdown-sessions").value.listeners[0].on_marked_down ==
        marked_down_action::shutdown_sessions
    );
    // Never on a demoted primary.
    const auto primary = import_cfg(listen(""));
    CHECK(primary.value.listeners[0].on_marked_down == marked_down_action::shutdown_sessions);
    CHECK(primary.says("1: note: 'listen pg': has no `on-marked-down"));
}

TEST_SUITE_END();
