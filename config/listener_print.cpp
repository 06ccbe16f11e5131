// SPDX-License-Identifier: PostgreSQL
#include "config/listener_print.hpp"

#include "config/network.hpp"
#include "config/units.hpp"
#include "config/words.hpp"

#include <algorithm>
#include <iterator>

namespace rolegate::config
{
namespace
{

std::string network_list(const std::vector<network>& networks)
{
    std::vector<std::string> items;
    std::ranges::transform(networks, std::back_inserter(items), format_network);
    return as_list(items);
}

// Files beside a mode that does not use them are refused.
void print_listener_tls(yaml_writer& to, const listener_settings& listener)
{
    const listener_tls& tls = listener.tls;
    to.line(2, "tls");
    to.line(3, "mode", word_of(tls_mode_words, tls.mode));
    if (tls.mode == tls_mode::terminate)
    {
        to.line(3, "cert", in_quotes(tls.cert));
        to.line(3, "key", in_quotes(tls.key));
        to.line(3, "ca", in_quotes(tls.ca));
        to.line(3, "min_version", word_of(tls_version_words, tls.min_version));
        to.line(3, "required", as_bool(tls.required));
    }
    const server_tls_settings& server = listener.server_tls;
    to.line(2, "server_tls");
    to.line(3, "sslmode", word_of(sslmode_words, server.sslmode));
    if (server.sslmode != sslmode::disable)
    {
        to.line(3, "ca", in_quotes(server.ca));
        to.line(3, "cert", in_quotes(server.cert));
        to.line(3, "key", in_quotes(server.key));
    }
}

void print_listener_limits(yaml_writer& to, const listener_settings& listener)
{
    to.line(2, "queue");
    to.line(3, "timeout", format_duration(listener.queue.timeout));
    to.line(3, "max", std::to_string(listener.queue.max));
    if (listener.maxconn)
        to.line(2, "maxconn", std::to_string(*listener.maxconn));
    else
        to.comment(2, "maxconn: any number");
    to.line(2, "handshakes");
    to.line(3, "max", std::to_string(listener.handshakes.max));
    to.line(3, "per_address", std::to_string(listener.handshakes.per_address));
    to.line(2, "timeouts");
    to.line(3, "handshake", format_duration(listener.timeouts.handshake));
    to.line(3, "connect", format_duration(listener.timeouts.connect));
    to.line(3, "client", format_duration(listener.timeouts.client));
    to.line(3, "server", format_duration(listener.timeouts.server));
    to.line(3, "client_fin", format_duration(listener.timeouts.client_fin));
    to.line(2, "keepalive");
    to.line(3, "idle", format_duration(listener.keepalive.idle));
    to.line(3, "interval", format_duration(listener.keepalive.interval));
    to.line(3, "count", std::to_string(listener.keepalive.count));
    to.line(2, "tcp_user_timeout", format_duration(listener.tcp_user_timeout));
}

std::string limit_text(std::int64_t bytes)
{
    return format_size(bytes);
}

std::string limit_text(milliseconds time)
{
    return format_duration(time);
}

template <class T>
void print_lag(yaml_writer& to, const char* key, const std::optional<lag_limit<T>>& lag)
{
    if (!lag)
        return to.comment(2, std::string(key) + ": any");
    to.line(2, key);
    to.line(3, "leave", limit_text(lag->leave));
    to.line(3, "enter", limit_text(lag->enter));
}

void print_tags(yaml_writer& to, int level, const tag_map& tags)
{
    to.line(level, "tags");
    for (const auto& [tag, value] : tags)
        to.line(level + 1, as_key(tag), in_quotes(value));
}

// What would contradict the role is refused even when it is a default.
void print_demand(yaml_writer& to, const member_demand& demand)
{
    to.line(2, "role", word_of(listener_role_words, demand.role));
    if (is_leader_only(demand.role))
        return;
    print_lag(to, "lag", demand.lag);
    print_lag(to, "lag_time", demand.lag_time);
    to.line(2, "lag_dwell", format_duration(demand.lag_dwell));
    if (demand.replication_state.empty())
        to.comment(2, "replication_state: streaming, where Patroni tells");
    else
        to.line(2, "replication_state", as_text(demand.replication_state));
    if (demand.tags.empty())
        to.comment(2, "tags: any");
    else
        print_tags(to, 2, demand.tags);
    if (demand.prefer_tags.empty())
        to.comment(2, "prefer: nobody");
    else
    {
        to.line(2, "prefer");
        print_tags(to, 3, demand.prefer_tags);
    }
    if (demand.fallback_primary)
        to.line(2, "fallback", "primary");
    else
        to.comment(2, "fallback: nobody");
}

void print_match(yaml_writer& to, const std::vector<startup_condition>& match)
{
    if (match.empty())
        return to.comment(2, "match: every client");
    to.line(2, "match");
    for (const startup_condition& condition : match)
        to.line(3, as_key(condition.parameter), as_list(condition.words));
}

} // namespace

void print_listener(yaml_writer& to, const listener_settings& listener)
{
    to.line(1, as_key(listener.name));
    to.line(2, "bind", as_list(listener.bind));
    print_match(to, listener.match);
    to.line(2, "cluster", as_text(listener.cluster));
    print_demand(to, listener);
    to.line(2, "balance", word_of(balance_words, listener.balance));
    print_listener_limits(to, listener);
    to.line(2, "on_marked_down", word_of(marked_down_words, listener.on_marked_down));
    to.line(2, "drain");
    to.line(3, "deadline", format_duration(listener.drain_deadline));
    to.line(
        2, "rebalance", listener.rebalance == 0 ? "off" : std::to_string(listener.rebalance) + "%"
    );
    to.line(2, "withdraw_after", format_duration(listener.withdraw_after));
    // An empty list is refused, for it reads as nobody.
    if (listener.allow.empty())
        to.comment(2, "allow: everybody");
    else
        to.line(2, "allow", network_list(listener.allow));
    to.line(
        2,
        "accept_proxy",
        listener.accept_proxy.empty() ? "off" : network_list(listener.accept_proxy)
    );
    to.line(2, "application_name_add_host", as_bool(listener.application_name_add_host));
    print_listener_tls(to, listener);
}

} // namespace rolegate::config
