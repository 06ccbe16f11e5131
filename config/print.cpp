// SPDX-License-Identifier: PostgreSQL
#include "config/print.hpp"

#include "config/address.hpp"
#include "config/address_map.hpp"
#include "config/listener_print.hpp"
#include "config/units.hpp"
#include "config/words.hpp"
#include "config/yaml_writer.hpp"

#include <algorithm>
#include <string_view>

namespace rolegate::config
{
namespace
{

// What is printed is shown to others and kept in logs; that there is a secret may be known.
std::string as_secret(std::string_view text)
{
    return text.empty() ? "\"\"" : "\"*****\"";
}

// As chmod takes it.
std::string octal(unsigned mode)
{
    std::string digits;
    for (; mode != 0; mode /= 8)
        digits.insert(digits.begin(), static_cast<char>('0' + mode % 8));
    return digits;
}

void print_dcs(yaml_writer& to, const dcs_settings& dcs)
{
    to.line(2, "dcs");
    to.line(3, "scope", in_quotes(dcs.scope));
    to.line(3, "namespace", in_quotes(dcs.name_space));
    if (dcs.group)
        to.line(3, "group", std::to_string(*dcs.group));
    to.line(3, dcs.kind == dcs_kind::etcd ? "etcd" : "etcd3");
    to.line(4, "hosts", as_list(dcs.hosts));
    to.line(4, "protocol", dcs.tls ? "https" : "http");
    to.line(4, "username", in_quotes(dcs.username));
    to.line(4, "password", as_secret(dcs.password));
    if (dcs.tls)
    {
        to.line(4, "cacert", in_quotes(dcs.tls->ca));
        to.line(4, "cert", in_quotes(dcs.tls->cert));
        to.line(4, "key", in_quotes(dcs.tls->key));
        to.line(4, "verify", as_bool(dcs.tls->verify));
    }
}

void print_sql_keys(yaml_writer& to, const sql_settings& sql)
{
    to.line(3, "user", in_quotes(sql.user));
    to.line(3, "dbname", in_quotes(sql.dbname));
    to.line(3, "password", as_secret(sql.password));
    to.line(3, "passfile", in_quotes(sql.passfile));
    to.line(3, "sslmode", as_text(sql.sslmode));
    to.line(3, "sslrootcert", in_quotes(sql.sslrootcert));
    to.line(3, "sslcert", in_quotes(sql.sslcert));
    to.line(3, "sslkey", in_quotes(sql.sslkey));
}

void print_sql(yaml_writer& to, const sql_settings& sql)
{
    to.line(2, "sql");
    print_sql_keys(to, sql);
}

void print_postgres(yaml_writer& to, const postgres_settings& postgres)
{
    to.line(2, "postgres");
    to.line(3, "members", as_list(postgres.members));
    print_sql_keys(to, postgres.sql);
    to.line(3, "interval", format_duration(postgres.interval));
    to.line(3, "timeout", format_duration(postgres.timeout));
    to.line(3, "rise", std::to_string(postgres.rise));
    to.line(3, "fall", std::to_string(postgres.fall));
}

void print_member(yaml_writer& to, int level, std::string_view key, const member_settings& member)
{
    to.line(level, key);
    to.line(level + 1, "weight", std::to_string(member.weight));
    if (member.maxconn)
        to.line(level + 1, "maxconn", std::to_string(*member.maxconn));
    else
        to.comment(level + 1, "maxconn: any number");
    to.line(level + 1, "maxqueue", std::to_string(member.maxqueue));
    to.line(level + 1, "slowstart", format_duration(member.slowstart));
    to.line(level + 1, "backup", as_bool(member.backup));
}

void print_members(yaml_writer& to, const cluster_settings& cluster)
{
    print_member(to, 2, "default_member", cluster.default_member);
    if (cluster.member_options.empty())
        return to.line(2, "member_options", "{}");
    to.line(2, "member_options");
    for (const auto& [name, member] : cluster.member_options)
        print_member(to, 3, as_key(name), member);
}

void print_address_map(yaml_writer& to, const address_map& map)
{
    if (map.empty())
        return to.line(3, "address_map", "{}");
    to.line(3, "address_map");
    for (const auto& [said, target] : map)
    {
        // A bare IPv6 address is read in brackets.
        const bool bare = !said.starts_with('[') && std::ranges::count(said, ':') > 1;
        to.line(4, as_key(bare ? "[" + said + "]" : said), in_quotes(format_target(target)));
    }
}

// `level` is that of the keys.
void print_pace(yaml_writer& to, int level, const check_settings& check)
{
    const auto print_or_inter = [&](const char* key, const std::optional<milliseconds>& value)
    {
        if (value)
            to.line(level, key, format_duration(*value));
        else
            to.comment(level, std::string(key) + ": as inter");
    };
    to.line(level, "inter", format_duration(check.inter));
    print_or_inter("fastinter", check.fastinter);
    print_or_inter("downinter", check.downinter);
    to.line(level, "rise", std::to_string(check.rise));
    to.line(level, "fall", std::to_string(check.fall));
    print_or_inter("timeout", check.timeout);
}

void print_http(yaml_writer& to, const http_check_settings& http)
{
    to.line(3, "http");
    to.line(4, "method", http.method);
    to.line(4, "uri", in_quotes(http.uri));
    if (http.port != 0)
        to.line(4, "port", std::to_string(http.port));
    else
        to.comment(4, "port: the member's own");
    if (http.expect_status != 0)
        to.line(4, "expect_status", std::to_string(http.expect_status));
    else
        to.comment(4, "expect_status: any of 2xx and 3xx");
}

void print_tcp(yaml_writer& to, const tcp_settings& tcp)
{
    to.line(2, "tcp");
    to.line(3, "members", as_list(tcp.members));
    print_pace(to, 3, tcp.check);
    if (!tcp.check.http)
        return;
    to.line(2, "check");
    print_http(to, *tcp.check.http);
}

void print_patroni(yaml_writer& to, const patroni_settings& patroni)
{
    to.line(2, "patroni");
    to.line(3, "members", as_list(patroni.members));
    to.line(3, "scope", in_quotes(patroni.scope));
    to.line(3, "interval", format_duration(patroni.interval));
    to.line(3, "fast_interval", format_duration(patroni.fast_interval));
    to.line(3, "timeout", format_duration(patroni.timeout));
    print_address_map(to, patroni.address_map);
    to.line(3, "proxy_url", as_bool(patroni.proxy_url));
    if (patroni.tls)
    {
        to.line(3, "tls");
        to.line(4, "ca", in_quotes(patroni.tls->ca));
        to.line(4, "cert", in_quotes(patroni.tls->cert));
        to.line(4, "key", in_quotes(patroni.tls->key));
        to.line(4, "verify", as_bool(patroni.tls->verify));
    }
}

// What is asked of members and when the view is too old; what is only checked has neither.
void print_sources(yaml_writer& to, const cluster_settings& cluster)
{
    if (cluster.postgres)
        print_postgres(to, *cluster.postgres);
    else
        print_patroni(to, cluster.patroni);
    if (cluster.dcs)
        print_dcs(to, *cluster.dcs);
    if (cluster.sql)
        print_sql(to, *cluster.sql);
    if (cluster.check)
    {
        to.line(2, "check");
        print_http(to, *cluster.check->http);
        print_pace(to, 3, *cluster.check);
    }
    // The default is a rule, not a value; it can only be told.
    if (cluster.stale_after)
        to.line(2, "stale_after", format_duration(*cluster.stale_after));
    else
        to.comment(
            2, cluster.postgres ? "stale_after: 10s" : "stale_after: the cluster's ttl, else 10s"
        );
    if (!cluster.postgres)
        to.line(2, "on_dcs_loss", word_of(dcs_loss_words, cluster.on_dcs_loss));
    to.line(2, "on_stale", word_of(stale_action_words, cluster.on_stale));
}

void print_cluster(yaml_writer& to, const cluster_settings& cluster)
{
    to.line(1, as_key(cluster.name));
    if (cluster.tcp)
        print_tcp(to, *cluster.tcp);
    else
        print_sources(to, cluster);
    print_members(to, cluster);
}

void print_admin(yaml_writer& to, const admin_settings& admin)
{
    to.line(0, "admin");
    to.line(1, "bind", in_quotes(format_address(admin.bind)));
    to.line(1, "mode", in_quotes(octal(admin.mode)));
    if (admin.users.empty())
        to.line(1, "users", "{}");
    else
        to.line(1, "users");
    for (const auto& [name, password] : admin.users)
        to.line(2, as_key(name), as_secret(password));
    to.line(1, "require_user", word_of(user_rule_words, admin.require_user));
    if (!admin.tls)
        return to.comment(1, "tls: none");
    to.line(1, "tls");
    to.line(2, "cert", in_quotes(admin.tls->cert));
    to.line(2, "key", in_quotes(admin.tls->key));
    to.line(2, "ca", in_quotes(admin.tls->ca));
}

} // namespace

std::string print(const settings& s)
{
    yaml_writer to;
    to.line(0, "clusters");
    for (const cluster_settings& cluster : s.clusters)
        print_cluster(to, cluster);
    to.line(0, "listeners");
    for (const listener_settings& listener : s.listeners)
        print_listener(to, listener);
    print_admin(to, s.admin);
    to.line(0, "log");
    to.line(1, "level", word_of(log_level_words, s.level));
    to.line(1, "format", word_of(log_format_words, s.format));
    to.line(1, "session_log", word_of(session_log_words, s.sessions));
    to.line(0, "workers", s.workers ? std::to_string(*s.workers) : "auto");
    if (s.maxconn)
        to.line(0, "maxconn", std::to_string(*s.maxconn));
    else
        to.comment(0, "maxconn: what file descriptors allow");
    to.line(0, "buffer_size", format_size(static_cast<std::int64_t>(s.buffer_size)));
    to.line(0, "shutdown_timeout", format_duration(s.shutdown_timeout));
    return to.take();
}

} // namespace rolegate::config
