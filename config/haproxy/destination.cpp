// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/destination.hpp"

#include "config/address.hpp"
#include "config/haproxy/endpoint.hpp"
#include "config/haproxy/patroni_pool.hpp"
#include "config/haproxy/tcp_pool.hpp"

#include <algorithm>

namespace rolegate::config::haproxy
{
namespace
{

// Patroni's port, and the next ones where several run on one machine.
bool is_usual_port(std::uint16_t port)
{
    return port >= 8008 && port <= 8012;
}

// Where clients go nobody answers HTTP, if that is PostgreSQL.
bool is_checked_elsewhere(const server& s)
{
    return s.check && s.check_place() != host_port{s.host, s.port.value_or(std::uint16_t{0})};
}

bool same_options(const cluster_settings& a, const cluster_settings& b)
{
    return a.default_member == b.default_member && a.member_options == b.member_options;
}

// Whether one may serve for both; how often Patroni is asked can be agreed on.
bool can_share(const cluster_settings& a, const cluster_settings& b)
{
    if (!same_options(a, b) || a.tcp.has_value() != b.tcp.has_value())
        return false;
    if (a.tcp)
        return a.tcp->members == b.tcp->members && // whose order says who is the first
               a.tcp->check == b.tcp->check;
    return std::ranges::is_permutation(a.patroni.members, b.patroni.members) && // any may be asked
           a.patroni.tls == b.patroni.tls && a.patroni.address_map == b.patroni.address_map;
}

} // namespace

void destinations::learn(const proxy& back)
{
    const auto asked = endpoint_of(back.check.uri);
    if (back.check.kind != check_kind::http || !asked || !asked->distinct)
        return;
    for (const server& s : back.servers)
        if (is_checked_elsewhere(s))
            apis_.insert(format_address(s.check_place()));
}

bool destinations::is_patroni(const proxy& back) const
{
    const auto asked = endpoint_of(back.check.uri);
    const auto asks_patroni = [&](const server& s)
    {
        return is_checked_elsewhere(s) && (asked->distinct || is_usual_port(s.check_place().port) ||
                                           apis_.contains(format_address(s.check_place())));
    };
    return back.check.kind == check_kind::http && asked &&
           std::ranges::any_of(back.servers, asks_patroni);
}

std::optional<destination> destinations::of(const proxy& back)
{
    const auto [at, is_new] = known_.try_emplace(back.number);
    if (is_new)
        at->second = find(back);
    return at->second;
}

std::optional<destination> destinations::find(const proxy& back)
{
    if (back.servers.empty())
    {
        book_.refuse(back.number, back.kind + " " + back.name, "has no server to lead to");
        return std::nullopt;
    }
    return is_patroni(back) ? to_patroni(back) : to_tcp(back);
}

std::optional<destination> destinations::to_patroni(const proxy& back)
{
    const auto asked = endpoint_of(back.check.uri);
    auto cluster = patroni_cluster(back, *asked, told_, book_);
    if (!cluster)
        return std::nullopt;
    const bool is_first =
        std::ranges::all_of(clusters_, [](const cluster_settings& c) { return c.tcp.has_value(); });
    const std::string name = share(std::move(*cluster), is_first ? "main" : back.name);
    return destination{name, false, asked->demand};
}

std::optional<destination> destinations::to_tcp(const proxy& back)
{
    auto cluster = tcp_cluster(back, book_);
    if (!cluster)
        return std::nullopt;
    destination out{share(std::move(*cluster), back.name), true, {}};
    out.demand.role = listener_role::any;
    return out;
}

std::string destinations::share(cluster_settings cluster, std::string_view wanted)
{
    for (cluster_settings& c : clusters_)
    {
        if (!can_share(c, cluster))
            continue;
        patroni_settings& ours = c.patroni;
        const patroni_settings& theirs = cluster.patroni;
        ours.interval = std::min(ours.interval, theirs.interval);
        ours.fast_interval = std::min(ours.fast_interval, theirs.fast_interval);
        ours.timeout = std::max(ours.timeout, theirs.timeout);
        return c.name;
    }
    cluster.name = names_.take(wanted);
    clusters_.push_back(std::move(cluster));
    return clusters_.back().name;
}

} // namespace rolegate::config::haproxy
