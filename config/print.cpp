// SPDX-License-Identifier: PostgreSQL
#include "config/print.hpp"

#include "config/address.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace rolegate::config
{
namespace
{

bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// In double quotes for YAML, and every dollar doubled so that nothing in it is expanded again.
std::string in_quotes(std::string_view text)
{
    constexpr std::string_view hex = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text)
    {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f)
        {
            out += "\\x";
            out += hex[byte >> 4];
            out += hex[byte & 0xf];
            continue;
        }
        if (c == '"' || c == '\\')
            out += '\\';
        if (c == '$')
            out += '$';
        out += c;
    }
    return out += '"';
}

// Bare only where every YAML reader sees text: "no" and "1e3" are something else to some.
std::string as_text(std::string_view text)
{
    constexpr std::array<std::string_view, 9> special{
        "null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    const auto plain = [](char c)
    { return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
    const auto same_word = [text](std::string_view word)
    {
        const auto fold = [](char c) { return static_cast<char>(is_letter(c) ? c | 0x20 : c); };
        return std::ranges::equal(text, word, {}, fold);
    };
    if (!text.empty() && is_letter(text.front()) && std::ranges::all_of(text, plain) &&
        std::ranges::none_of(special, same_word))
        return std::string(text);
    return in_quotes(text);
}

// Always in quotes: a bare * starts an alias, and [::] a list.
std::string as_list(const std::vector<host_port>& addresses)
{
    std::string out = "[";
    for (const host_port& address : addresses)
        out += (out.size() > 1 ? ", " : "") + in_quotes(format_address(address));
    return out + "]";
}

std::string as_text(listener_role role)
{
    return role == listener_role::primary ? "primary" : "replica";
}

std::string as_text(log_level level)
{
    switch (level)
    {
    case log_level::debug:
        return "debug";
    case log_level::info:
        return "info";
    case log_level::warning:
        return "warning";
    case log_level::error:
        break;
    }
    return "error";
}

// One line, two spaces a level.
class printer
{
public:
    void line(int level, std::string_view key, std::string_view value = {})
    {
        out_.append(static_cast<std::size_t>(level) * 2, ' ').append(key).append(":");
        if (!value.empty())
            out_.append(" ").append(value);
        out_ += '\n';
    }

    void comment(int level, std::string_view text)
    {
        out_.append(static_cast<std::size_t>(level) * 2, ' ').append("# ").append(text) += '\n';
    }

    std::string take() { return std::move(out_); }

private:
    std::string out_;
};

// What is printed is shown to others and kept in logs; that there is a secret may be known.
std::string as_secret(std::string_view text)
{
    return text.empty() ? "\"\"" : "\"*****\"";
}

void print_dcs(printer& to, const dcs_settings& dcs)
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
        to.line(4, "verify", dcs.tls->verify ? "true" : "false");
    }
}

void print_sql(printer& to, const sql_settings& sql)
{
    to.line(2, "sql");
    to.line(3, "user", in_quotes(sql.user));
    to.line(3, "dbname", in_quotes(sql.dbname));
    to.line(3, "password", as_secret(sql.password));
    to.line(3, "passfile", in_quotes(sql.passfile));
    to.line(3, "sslmode", as_text(sql.sslmode));
    to.line(3, "sslrootcert", in_quotes(sql.sslrootcert));
    to.line(3, "sslcert", in_quotes(sql.sslcert));
    to.line(3, "sslkey", in_quotes(sql.sslkey));
}

void print_cluster(printer& to, const cluster_settings& cluster)
{
    const patroni_settings& patroni = cluster.patroni;
    to.line(1, as_text(cluster.name));
    to.line(2, "patroni");
    to.line(3, "members", as_list(patroni.members));
    to.line(3, "scope", in_quotes(patroni.scope));
    to.line(3, "interval", format_duration(patroni.interval));
    to.line(3, "fast_interval", format_duration(patroni.fast_interval));
    to.line(3, "timeout", format_duration(patroni.timeout));
    if (patroni.tls)
    {
        to.line(3, "tls");
        to.line(4, "ca", in_quotes(patroni.tls->ca));
        to.line(4, "cert", in_quotes(patroni.tls->cert));
        to.line(4, "key", in_quotes(patroni.tls->key));
        to.line(4, "verify", patroni.tls->verify ? "true" : "false");
    }
    if (cluster.dcs)
        print_dcs(to, *cluster.dcs);
    if (cluster.sql)
        print_sql(to, *cluster.sql);
    // The default is a rule, not a value; it can only be told.
    if (cluster.stale_after)
        to.line(2, "stale_after", format_duration(*cluster.stale_after));
    else
        to.comment(2, "stale_after: the cluster's ttl, else 10s");
    to.line(2, "on_dcs_loss", cluster.on_dcs_loss == dcs_loss::rest ? "rest" : "fence");
    to.line(
        2,
        "on_stale",
        cluster.on_stale == stale_action::refuse_new ? "refuse_new" : "shutdown_sessions"
    );
}

void print_listener(printer& to, const listener_settings& listener)
{
    to.line(1, as_text(listener.name));
    to.line(2, "bind", as_list(listener.bind));
    to.line(2, "cluster", as_text(listener.cluster));
    to.line(2, "role", as_text(listener.role));
    // No settings yet, since there is one choice each: `balance`, `tls.mode`, `log.format`.
    to.line(2, "balance", "roundrobin");
    to.line(2, "queue");
    to.line(3, "timeout", format_duration(listener.queue.timeout));
    to.line(3, "max", std::to_string(listener.queue.max));
    to.line(2, "timeouts");
    to.line(3, "handshake", format_duration(listener.timeouts.handshake));
    to.line(3, "connect", format_duration(listener.timeouts.connect));
    to.line(3, "client_fin", format_duration(listener.timeouts.client_fin));
    to.line(2, "keepalive");
    to.line(3, "idle", format_duration(listener.keepalive.idle));
    to.line(3, "interval", format_duration(listener.keepalive.interval));
    to.line(3, "count", std::to_string(listener.keepalive.count));
    to.line(2, "tcp_user_timeout", format_duration(listener.tcp_user_timeout));
    to.line(2, "tls");
    to.line(3, "mode", "passthrough");
}

} // namespace

std::string print(const settings& s)
{
    printer to;
    to.line(0, "clusters");
    for (const cluster_settings& cluster : s.clusters)
        print_cluster(to, cluster);
    to.line(0, "listeners");
    for (const listener_settings& listener : s.listeners)
        print_listener(to, listener);
    to.line(0, "admin");
    to.line(1, "bind", in_quotes(format_address(s.admin.bind)));
    to.line(0, "log");
    to.line(1, "level", as_text(s.level));
    to.line(1, "format", "text");
    to.line(0, "workers", s.workers ? std::to_string(*s.workers) : "auto");
    to.line(0, "shutdown_timeout", format_duration(s.shutdown_timeout));
    return to.take();
}

} // namespace rolegate::config
