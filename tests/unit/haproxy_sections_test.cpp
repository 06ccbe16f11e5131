// SPDX-License-Identifier: PostgreSQL
//
// Sections beyond the plain listen in front of Patroni: defaults, frontends, other services, the
// page, and what is refused.
#include "tests/support/imported.hpp"

#include "config/network.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using namespace std::chrono_literals;
using config::host_port;
using config::listener_role;
using config::haproxy::verdict;
using test::import_cfg;

namespace
{

const std::string replicas =
    "backend r\n option httpchk /replica\n server a h:5432 check port 8008\n";
const std::string primary =
    "backend p\n option httpchk /primary\n server a h:5432 check port 8008\n";

std::string allowed_by(const std::string& rules)
{
    const auto made = import_cfg("frontend f\n bind *:1\n default_backend p\n" + rules + primary);
    if (made.book.has_refused())
        return "refused";
    std::string out;
    for (const auto& net : made.value.listeners.at(0).allow)
        out += config::format_network(net) + " ";
    return out.empty() ? "everybody" : out;
}

} // namespace

TEST_SUITE_BEGIN("config/haproxy/sections");

TEST_CASE("H-111 defaults hold until the next ones, or by their name")
{
    const auto made = import_cfg(R"(
defaults base
    mode tcp
    timeout client 1m
    option httpchk OPTIONS /replica
defaults more from base
    timeout server 2m
defaults
    timeout client 3m
listen a from more
    bind *:1
    server x h:5432 check port 8008
listen b
    bind *:2
    server x h:5432 check
)");
    CHECK_FALSE(made.book.has_refused());
    REQUIRE(made.value.listeners.size() == 2);
    CHECK(made.value.listeners[0].role == listener_role::replica);
    CHECK(made.value.listeners[0].timeouts.client == 1min);
    CHECK(made.value.listeners[0].timeouts.server == 2min);
    CHECK(made.value.listeners[1].role == listener_role::any);
    CHECK(made.value.listeners[1].timeouts.client == 3min);
    CHECK(made.value.listeners[1].timeouts.server == 0ms);
    CHECK(import_cfg("listen a from x\n bind *:1\n server a h:1 check\n").book.has_refused());
}

TEST_CASE("a frontend leads to its backend, several to the same")
{
    const auto made = import_cfg(
        "frontend f\n bind *:1\n maxconn 7\n timeout client 1s\n default_backend p\n"
        "frontend g\n bind *:2\n use_backend p\n" +
        primary + " balance source\n timeout server 2s\n"
    );
    CHECK_FALSE(made.book.has_refused());
    REQUIRE(made.value.listeners.size() == 2);
    CHECK(made.value.clusters.size() == 1);
    CHECK(made.value.listeners[0].maxconn == 7);
    CHECK(made.value.listeners[0].timeouts.client == 1s);
    CHECK(made.value.listeners[0].timeouts.server == 2s);
    CHECK(made.value.listeners[1].balance == config::balance_algorithm::source);
    CHECK(
        import_cfg("frontend f\n bind *:1\n default_backend none\n").book.of(1) == verdict::refused
    );
    CHECK(import_cfg("frontend f\n bind *:1\n").book.of(1) == verdict::refused);
    const auto unused = import_cfg("listen l\n bind *:1\n server a h:1 check\n" + replicas);
    CHECK(unused.says("4: ignored: 'backend r': no section leads there"));
    CHECK_FALSE(unused.book.has_refused());
}

TEST_CASE("replicas that fall back to the primary")
{
    const auto made = [](const std::string& rules)
    {
        return import_cfg(
            "frontend f\n bind *:1\n" + rules + " default_backend r\n" + replicas + primary
        );
    };
    for (const char* rules :
         {" acl none nbsrv(r) lt 1\n use_backend p if none\n",
          " use_backend p if { nbsrv(r) eq 0 }\n",
          " acl some nbsrv(r) ge 1\n use_backend p unless some\n",
          " acl some nbsrv(r) gt 0\n use_backend p if !some\n"})
    {
        const auto out = made(rules);
        CHECK_MESSAGE(!out.book.has_refused(), rules);
        CHECK(out.value.listeners.at(0).fallback_primary);
        CHECK(out.value.clusters.size() == 1);
    }
    for (const char* rules :
         {" use_backend p if { dst_port 1 }\n",
          " use_backend p if { nbsrv(p) lt 1 }\n",
          " use_backend p if { nbsrv(r) lt 2 }\n",
          " use_backend x if { nbsrv(r) lt 1 }\n",
          " acl a nbsrv(r) lt 1\n acl a src 1.2.3.4\n use_backend p if a\n"})
        CHECK_MESSAGE(made(rules).book.has_refused(), rules);
}

TEST_CASE("who may come")
{
    const std::string acl = " acl in src 10.0.0.0/8 192.0.2.1\n acl in src fd00::/8\n";
    const std::string nets = "10.0.0.0/8 192.0.2.1/32 fd00::/8 ";
    CHECK(allowed_by(acl) == "everybody");
    CHECK(allowed_by(acl + " tcp-request connection reject if !in\n") == nets);
    CHECK(allowed_by(acl + " tcp-request connection reject unless in\n") == nets);
    CHECK(
        allowed_by(
            acl + " tcp-request connection accept if in\n"
                  " tcp-request connection reject\n"
        ) == nets
    );
    CHECK(
        allowed_by(" tcp-request connection reject if !{ src 10.0.0.0/8 } !{ src 1.2.3.4 }\n") ==
        "10.0.0.0/8 1.2.3.4/32 "
    );
    CHECK(
        allowed_by(" tcp-request connection reject unless { src 1.1.1.1 } or { src 1.2.3.4 }\n") ==
        "1.1.1.1/32 1.2.3.4/32 "
    );
    CHECK(allowed_by(" tcp-request connection accept if { src 1.1.1.1 }\n") == "everybody");
    CHECK(
        allowed_by(" tcp-request inspect-delay 5s\n tcp-request content accept\n") == "everybody"
    );
    for (const char* rules :
         {" acl bad src 10.0.0.0/8\n tcp-request connection reject if bad\n",
          " acl f src -f /etc/list\n tcp-request connection reject if !f\n",
          " tcp-request connection reject if !none\n",
          " tcp-request connection reject\n",
          " tcp-request connection reject if !{ src 1.1.1.1 } or !{ src 1.2.3.4 }\n",
          " tcp-request connection accept if { src 1.1.1.1 } { dst_port 1 }\n",
          " tcp-request content reject if { src 1.1.1.1 }\n",
          " tcp-request connection track-sc0 src\n",
          " acl x src 10.0.0.1/8\n"
          " tcp-request connection reject if !x\n",
          // Of one name with another fetch: either will do.
          " acl x src 10.0.0.0/8\n acl x dst_port 1\n tcp-request connection reject if !x\n"})
        CHECK_MESSAGE(allowed_by(rules) == "refused", rules);
}

TEST_CASE("A2 another service is a cluster of kind tcp")
{
    const auto made = import_cfg(R"(
defaults
    timeout check 2s
listen etcd
    bind 127.0.0.1:2379
    option tcp-check
    default-server inter 10s fastinter 1s downinter 5s rise 2 fall 4 slowstart 60s maxconn 250 maxqueue 256 weight 100
    server etcd1 10.0.0.1:2379 check
    server etcd2 10.0.0.2:2379 check weight 50
    server etcd3 10.0.0.3:2379 check disabled
)");
    CHECK_FALSE(made.book.has_refused());
    const auto& cluster = made.value.clusters.at(0);
    REQUIRE(cluster.tcp);
    CHECK(cluster.name == "etcd");
    CHECK(cluster.tcp->members.size() == 2);
    CHECK(cluster.tcp->check.inter == 10s);
    CHECK(cluster.tcp->check.fastinter == 1s);
    CHECK(cluster.tcp->check.downinter == 5s);
    CHECK(cluster.tcp->check.fall == 4);
    CHECK(cluster.tcp->check.timeout == 2s);
    CHECK(cluster.options_of("10.0.0.1:2379").weight == 100);
    CHECK(cluster.options_of("10.0.0.2:2379").weight == 50);
    CHECK(cluster.options_of("10.0.0.2:2379").maxconn == 250);
    CHECK(cluster.options_of("10.0.0.1:2379").slowstart == 1min);
    CHECK(made.says("10: ignored: 'etcd3': is disabled, and left out"));
}

TEST_CASE("H-130 a request that is not Patroni's is kept as it is")
{
    const auto made = import_cfg("listen x\n bind *:1\n option httpchk GET /is_master?x=1\n"
                                 " http-check expect status 204\n"
                                 " server a h:5432 check port 23267\n");
    REQUIRE(made.value.clusters.at(0).tcp);
    const auto& http = made.value.clusters[0].tcp->check.http;
    REQUIRE(http);
    CHECK(http->method == "GET");
    CHECK(http->uri == "/is_master?x=1");
    CHECK(http->port == 23267);
    CHECK(http->expect_status == 204);
    // Patroni's own API is led to: no role of PostgreSQL's.
    const auto api = import_cfg("listen x\n bind *:1\n option httpchk GET /primary\n"
                                " server a h:8008 check\n");
    CHECK(api.value.clusters.at(0).tcp->check.http->uri == "/primary");
    CHECK(api.value.clusters.at(0).tcp->check.http->port == 0);
}

TEST_CASE("pgsql-check becomes a connect, and says what would be better")
{
    const auto made = import_cfg("listen x\n bind *:1\n option pgsql-check user u\n"
                                 " server a h:5432 check\n");
    CHECK_FALSE(made.book.has_refused());
    CHECK(made.value.clusters.at(0).tcp);
    CHECK(made.says("3: ignored: 'pgsql-check'"));
    CHECK(made.book.of(3) == verdict::ignored);
    CHECK(made.says("kind `postgres`"));
}

TEST_CASE("binds that are treated otherwise are listeners of their own")
{
    const auto made = import_cfg(
        "listen x\n bind *:1,*:2\n bind *:3 accept-proxy\n bind :::4\n bind [::]:5 v6only\n"
        " bind *:6 ssl crt /c.pem ca-file /ca.pem verify required ssl-min-ver TLSv1.3 tcp-ut 10s\n"
        " option httpchk /primary\n server a h:5432 check port 8008\n"
    );
    CHECK_FALSE(made.book.has_refused());
    REQUIRE(made.value.listeners.size() == 3);
    CHECK(
        made.value.listeners[0].bind ==
        std::vector<host_port>{{"*", 1}, {"*", 2}, {"::", 4}, {"::", 5}, {"*", 4}}
    );
    CHECK(made.value.listeners[1].name == "x-2");
    CHECK(made.value.listeners[1].accept_proxy.size() == 3);
    const auto& tls = made.value.listeners[2].tls;
    CHECK(tls.mode == config::tls_mode::terminate);
    CHECK(tls.cert == "/c.pem");
    CHECK(tls.ca == "/ca.pem");
    CHECK(tls.required);
    CHECK(tls.min_version == config::tls_version::tls_1_3);
    CHECK(made.value.listeners[2].tcp_user_timeout == 10s);
    for (const char* words :
         {"ssl",
          "ssl crt /dir/",
          "ssl crt /a verify optional",
          "interface lo",
          "nonsense",
          "ssl crt /a crt /b",
          "crt-list /x"})
        CHECK_MESSAGE(
            import_cfg(
                std::string("listen x\n bind *:1 ") + words +
                "\n option httpchk /primary\n server a h:5432 check port 8008\n"
            )
                .book.has_refused(),
            words
        );
}

TEST_CASE("A4 the page's address and users are the admin's")
{
    const auto made = import_cfg(R"(
defaults
    mode http
    option httplog
frontend page
    bind 127.0.0.1:1080 ssl crt /c.pem
    stats enable
    stats uri /haproxy-stats
    stats auth dba:secret
    stats admin if TRUE
    http-request use-service prometheus-exporter if { path /metrics }
listen pg
    mode tcp
    bind *:1
    option httpchk /primary
    server a h:5432 check port 8008
)");
    CHECK_FALSE(made.book.has_refused());
    CHECK(made.value.admin.users.at("dba") == "secret");
    CHECK(made.says("11: ignored: 'http-request use-service prometheus-exporter"));
    const auto good =
        import_cfg("listen s\n mode http\n bind *:1080 ssl crt /c.pem\n stats enable\n"
                   " stats auth dba:p$w#d\n stats uri /\n"
                   "listen x\n bind *:1\n server a h:1 check\n");
    CHECK(good.value.admin.bind == host_port{"*", 1080});
    CHECK(good.value.admin.users.at("dba") == "p$w");
    CHECK(good.value.admin.require_user == config::user_rule::all);
    CHECK(good.value.admin.tls->cert == "/c.pem");
    CHECK(good.remarks.find("p$w") == std::string::npos);
    for (const char* line :
         {"stats auth dba",
          "stats auth d%a:x",
          "stats auth a:$1$x",
          "bind *:2",
          "http-request deny",
          "server a h:1"})
        CHECK_MESSAGE(
            import_cfg(
                std::string("listen s\n mode http\n bind *:1\n stats enable\n ") + line + "\n"
            )
                .book.has_refused(),
            line
        );
}

TEST_CASE("without a page the admin address makes way for a listener")
{
    const auto made = import_cfg("listen x\n bind *:7000\n server a h:1 check\n");
    CHECK(made.value.admin.bind == host_port{"127.0.0.1", 7001});
}

TEST_CASE("H-102 setenv and the environment")
{
    const auto made = import_cfg("global\n setenv A 5\n presetenv A 6\n presetenv PGPORT 1\n"
                                 "listen x\n bind \"*:$A\"\n server a \"h:${PGPORT}\" check\n");
    CHECK_FALSE(made.book.has_refused());
    CHECK(made.value.listeners.at(0).bind.at(0).port == 5);
    CHECK(made.value.clusters.at(0).tcp->members.at(0).port == 6543);
    const auto none = import_cfg("global\n resetenv\nlisten x\n bind *:1\n"
                                 " server a \"h:${PGPORT}\" check\n");
    CHECK(none.book.of(5) == verdict::refused);
}

TEST_CASE("every line has a verdict, and the whole section goes with its first line")
{
    const auto made =
        import_cfg("x\nresolvers d\n nameserver a 1.2.3.4:53\nprogram p\n command c\n"
                   ".if defined(A)\nlisten y\n.endif\nlisten h\n mode http\n server a h:1\n"
                   "listen d\n disabled\n bind *:1\n");
    for (const int number : {1, 4, 5, 6, 7, 8, 9, 10, 11})
        CHECK_MESSAGE(made.book.of(number) == verdict::refused, number);
    for (const int number : {2, 3, 12, 13, 14})
        CHECK_MESSAGE(made.book.of(number) == verdict::ignored, number);
    CHECK(made.book.count(verdict::refused) == 9);
    CHECK(made.value.listeners.empty());
}

TEST_CASE("what would change behaviour is refused")
{
    for (const char* line :
         {"stick-table type ip size 1m",
          "stick on src",
          "source 10.0.0.1",
          "rate-limit sessions 5",
          "option transparent",
          "option mysql-check",
          "filter trace",
          "use-server a if TRUE",
          "balance uri",
          "nonsense",
          "option nonsense",
          "server b h:2 check send-proxy",
          "server b h:2 check ssl verify none",
          "server b h:2 check track x/y",
          "server b h:2 weight 0",
          "server b h:2 check inter 0",
          "server b h:2 check nonsense",
          "server b h:1 check",
          "server b /run/x check",
          "server b h:2 check agent-check",
          "server b h:2 check inter 5s",
          "tcp-check expect string x",
          "option external-check",
          "dispatch h:1"})
    {
        const auto made =
            import_cfg(std::string("listen x\n bind *:1\n server a h:1 check\n ") + line + "\n");
        CHECK_MESSAGE(made.book.of(4) == verdict::refused, line);
    }
}

TEST_CASE("what nothing depends on is ignored")
{
    for (const char* line :
         {"log global",
          "option tcplog",
          "option dontlognull",
          "option redispatch",
          "retries 3",
          "option tcpka",
          "no option tcplog",
          "no log",
          "errorfile 503 /x",
          "timeout http-request 1s",
          "http-request deny",
          "source 0.0.0.0",
          "backlog 100",
          "email-alert from x",
          "http-check expect string x"})
    {
        const auto made =
            import_cfg(std::string("listen x\n bind *:1\n server a h:1 check\n ") + line + "\n");
        CHECK_MESSAGE(made.book.of(4) == verdict::ignored, line);
    }
}

TEST_SUITE_END();
