// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/print.hpp"

#include "config/address.hpp"
#include "config/haproxy/print_listener.hpp"
#include "config/quote.hpp"
#include "config/units.hpp"
#include "config/words.hpp"
#include "config/yaml_writer.hpp"

#include <algorithm>

namespace rolegate::config::haproxy
{
namespace
{

bool is_patroni(const cluster_settings& c)
{
    return !c.tcp;
}

bool ends_idle_sessions(const listener_settings& l)
{
    return l.timeouts.client != milliseconds(0) || l.timeouts.server != milliseconds(0);
}

void print_head(yaml_writer& to, const settings& s, std::string_view source)
{
    to.comment(0, "Made from " + quoted(source) + " by `rolegate import-haproxy`. To check:");
    to.comment(0, "- what it said on stderr: lines that were ignored or refused, and why;");
    if (std::ranges::any_of(s.clusters, is_patroni))
    {
        to.comment(0, "- clients are led where Patroni says that PostgreSQL is (connect_address),");
        to.comment(0, "  not to the addresses of the `server` lines: see `address_map`;");
        to.comment(0, "- `interval` and `timeout` are those of HAProxy's checks: ours are 1s, 2s;");
        to.comment(0, "- `dcs`, which sees a role change when it is written, see reference.yaml;");
    }
    if (std::ranges::any_of(s.listeners, ends_idle_sessions))
    {
        to.comment(0, "- `timeouts.client` and `.server` end a session when that side is silent,");
        to.comment(0, "  where HAProxy ends it when both are; a query that runs is no silence;");
    }
    to.comment(0, "- who reaches the admin address, and `users` there.");
    to.comment(0, "Then: rolegate check -c FILE");
}

// Where members differ `default_member` says nothing, so the usual is the usual for all.
void print_member(yaml_writer& to, int level, std::string_view key, const member_settings& m)
{
    const member_settings usual;
    to.line(level, key);
    if (m.weight != usual.weight)
        to.line(level + 1, "weight", std::to_string(m.weight));
    if (m.maxconn)
        to.line(level + 1, "maxconn", std::to_string(*m.maxconn));
    if (m.maxqueue != usual.maxqueue)
        to.line(level + 1, "maxqueue", std::to_string(m.maxqueue));
    if (m.slowstart != usual.slowstart)
        to.line(level + 1, "slowstart", format_duration(m.slowstart));
    if (m.backup)
        to.line(level + 1, "backup", as_bool(m.backup));
}

void print_members(yaml_writer& to, const cluster_settings& c)
{
    if (c.default_member != member_settings())
        print_member(to, 2, "default_member", c.default_member);
    if (!c.member_options.empty())
        to.line(2, "member_options");
    for (const auto& [name, member] : c.member_options)
        print_member(to, 3, as_key(name), member);
}

void print_tls(yaml_writer& to, const client_tls& tls)
{
    to.line(3, "tls");
    to.line(4, "verify", as_bool(tls.verify));
    if (!tls.ca.empty())
        to.line(4, "ca", in_quotes(tls.ca));
    if (!tls.cert.empty())
        to.line(4, "cert", in_quotes(tls.cert));
    if (!tls.key.empty())
        to.line(4, "key", in_quotes(tls.key));
}

void print_patroni(yaml_writer& to, const patroni_settings& p)
{
    const patroni_settings usual;
    to.line(2, "patroni");
    to.line(3, "members", as_list(p.members));
    if (p.interval != usual.interval)
        to.line(3, "interval", format_duration(p.interval));
    if (p.fast_interval != usual.fast_interval)
        to.line(3, "fast_interval", format_duration(p.fast_interval));
    if (p.timeout != usual.timeout)
        to.line(3, "timeout", format_duration(p.timeout));
    if (!p.address_map.empty())
        to.line(3, "address_map");
    for (const auto& [said, target] : p.address_map)
        to.line(4, as_key(said), in_quotes(format_address(target)));
    if (p.tls)
        print_tls(to, *p.tls);
}

void print_tcp(yaml_writer& to, const tcp_settings& tcp)
{
    const check_settings& check = tcp.check;
    const check_settings usual;
    const auto time = [&](const char* key, const std::optional<milliseconds>& value)
    {
        if (value)
            to.line(3, key, format_duration(*value));
    };
    to.line(2, "tcp");
    to.line(3, "members", as_list(tcp.members));
    if (check.inter != usual.inter)
        time("inter", check.inter);
    time("fastinter", check.fastinter);
    time("downinter", check.downinter);
    if (check.rise != usual.rise)
        to.line(3, "rise", std::to_string(check.rise));
    if (check.fall != usual.fall)
        to.line(3, "fall", std::to_string(check.fall));
    time("timeout", check.timeout);
    if (!check.http)
        return;
    to.line(2, "check");
    to.line(3, "http");
    to.line(4, "method", check.http->method);
    to.line(4, "uri", in_quotes(check.http->uri));
    if (check.http->port != 0)
        to.line(4, "port", std::to_string(check.http->port));
    if (check.http->expect_status != 0)
        to.line(4, "expect_status", std::to_string(check.http->expect_status));
}

void print_cluster(yaml_writer& to, const cluster_settings& c)
{
    to.line(1, as_key(c.name));
    if (c.tcp)
        print_tcp(to, *c.tcp);
    else
        print_patroni(to, c.patroni);
    print_members(to, c);
}

void print_admin(yaml_writer& to, const admin_settings& admin)
{
    to.line(0, "admin");
    to.line(1, "bind", in_quotes(format_address(admin.bind)));
    if (!admin.users.empty())
        to.line(1, "users");
    for (const auto& [name, password] : admin.users)
        to.line(2, as_key(name), in_quotes(password));
    if (admin.require_user != user_rule::actions)
        to.line(1, "require_user", word_of(user_rule_words, admin.require_user));
    if (!admin.tls)
        return;
    to.line(1, "tls");
    to.line(2, "cert", in_quotes(admin.tls->cert));
    to.line(2, "key", in_quotes(admin.tls->key));
    if (!admin.tls->ca.empty())
        to.line(2, "ca", in_quotes(admin.tls->ca));
}

} // namespace

std::string print(const settings& s, std::string_view source)
{
    yaml_writer to;
    print_head(to, s, source);
    to.line(0, "clusters");
    for (const cluster_settings& c : s.clusters)
        print_cluster(to, c);
    to.line(0, "listeners");
    for (const listener_settings& l : s.listeners)
        print_listener(to, l);
    print_admin(to, s.admin);
    const settings usual;
    if (s.maxconn)
        to.line(0, "maxconn", std::to_string(*s.maxconn));
    if (s.workers)
        to.line(0, "workers", std::to_string(*s.workers));
    if (s.shutdown_timeout != usual.shutdown_timeout)
        to.line(0, "shutdown_timeout", format_duration(s.shutdown_timeout));
    return to.take();
}

} // namespace rolegate::config::haproxy
