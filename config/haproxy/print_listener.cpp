// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/print_listener.hpp"

#include "config/network.hpp"
#include "config/units.hpp"
#include "config/words.hpp"

#include <algorithm>
#include <iterator>

namespace rolegate::config::haproxy
{
namespace
{

std::string network_list(const std::vector<network>& networks)
{
    std::vector<std::string> items;
    std::ranges::transform(networks, std::back_inserter(items), format_network);
    return as_list(items);
}

void print_demand(yaml_writer& to, const member_demand& d)
{
    to.line(2, "role", word_of(listener_role_words, d.role));
    if (d.lag)
    {
        to.line(2, "lag");
        to.line(3, "leave", format_size(d.lag->leave));
        to.line(3, "enter", format_size(d.lag->enter));
    }
    if (!d.replication_state.empty())
        to.line(2, "replication_state", as_text(d.replication_state));
    if (!d.tags.empty())
        to.line(2, "tags");
    for (const auto& [tag, value] : d.tags)
        to.line(3, as_key(tag), in_quotes(value));
    if (d.fallback_primary)
        to.line(2, "fallback", "primary");
}

void print_timeouts(yaml_writer& to, const listener_timeouts& t)
{
    const listener_timeouts usual;
    if (t == usual)
        return;
    to.line(2, "timeouts");
    if (t.connect != usual.connect)
        to.line(3, "connect", format_duration(t.connect));
    if (t.client != usual.client)
        to.line(3, "client", format_duration(t.client));
    if (t.server != usual.server)
        to.line(3, "server", format_duration(t.server));
    if (t.client_fin != usual.client_fin)
        to.line(3, "client_fin", format_duration(t.client_fin));
}

void print_keepalive(yaml_writer& to, const keepalive_settings& k)
{
    if (k == keepalive_settings())
        return;
    to.line(2, "keepalive");
    to.line(3, "idle", format_duration(k.idle));
    to.line(3, "interval", format_duration(k.interval));
    to.line(3, "count", std::to_string(k.count));
}

void print_tls(yaml_writer& to, const listener_tls& tls)
{
    if (tls.mode == tls_mode::passthrough)
        return;
    to.line(2, "tls");
    to.line(3, "mode", word_of(tls_mode_words, tls.mode));
    to.line(3, "cert", in_quotes(tls.cert));
    to.line(3, "key", in_quotes(tls.key));
    if (!tls.ca.empty())
        to.line(3, "ca", in_quotes(tls.ca));
    if (tls.min_version != listener_tls().min_version)
        to.line(3, "min_version", word_of(tls_version_words, tls.min_version));
    if (tls.required)
        to.line(3, "required", as_bool(tls.required));
}

} // namespace

void print_listener(yaml_writer& to, const listener_settings& l)
{
    const listener_settings usual;
    to.line(1, as_key(l.name));
    to.line(2, "bind", as_list(l.bind));
    to.line(2, "cluster", as_text(l.cluster));
    print_demand(to, l);
    if (l.balance != usual.balance)
        to.line(2, "balance", word_of(balance_words, l.balance));
    if (l.maxconn)
        to.line(2, "maxconn", std::to_string(*l.maxconn));
    if (l.queue != usual.queue)
    {
        to.line(2, "queue");
        to.line(3, "timeout", format_duration(l.queue.timeout));
    }
    print_timeouts(to, l.timeouts);
    print_keepalive(to, l.keepalive);
    if (l.tcp_user_timeout != usual.tcp_user_timeout)
        to.line(2, "tcp_user_timeout", format_duration(l.tcp_user_timeout));
    if (l.on_marked_down != usual.on_marked_down)
        to.line(2, "on_marked_down", word_of(marked_down_words, l.on_marked_down));
    if (!l.allow.empty())
        to.line(2, "allow", network_list(l.allow));
    if (!l.accept_proxy.empty())
        to.line(2, "accept_proxy", network_list(l.accept_proxy));
    print_tls(to, l.tls);
}

} // namespace rolegate::config::haproxy
