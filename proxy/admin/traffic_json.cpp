// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/traffic_json.hpp"

#include "config/words.hpp"

#include <numeric>

namespace rolegate::proxy::admin
{

namespace
{

namespace json = boost::json;

// null: there is no limit.
json::value limit_of(const std::optional<std::size_t>& limit)
{
    return limit ? json::value(*limit) : json::value(nullptr);
}

json::object object_of(const std::map<std::string, std::uint64_t>& counts)
{
    json::object o;
    for (const auto& [key, n] : counts)
        o[key] = n;
    return o;
}

std::uint64_t count_of(const histogram& h)
{
    return std::accumulate(h.counts.begin(), h.counts.end(), std::uint64_t{0});
}

struct totals
{
    std::uint64_t sessions = 0; // ever
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;

    void add(const member_stats& m)
    {
        sessions += m.sessions;
        for (const auto& [state, n] : m.ended)
            sessions += n;
        bytes_in += m.bytes_in;
        bytes_out += m.bytes_out;
    }

    void write(json::object& to) const
    {
        to["sessions_total"] = sessions;
        to["bytes_in"] = bytes_in;
        to["bytes_out"] = bytes_out;
    }
};

// `maxconn` and the like are for this listener alone: each listener has its own places.
json::object traffic_of(const member_stats& m, const config::member_settings* options)
{
    totals sum;
    sum.add(m);
    const auto connects = count_of(m.connect_seconds);
    json::object o;
    o["sessions"] = m.sessions;
    sum.write(o);
    o["maxconn"] = options ? limit_of(options->maxconn) : json::value(nullptr);
    o["connects"] = connects;
    o["connect_avg_ms"] =
        connects > 0 ? json::value(1000 * m.connect_seconds.sum / static_cast<double>(connects))
                     : json::value(nullptr);
    o["ended"] = object_of(m.ended);
    o["shut_down"] = object_of(m.shut_down);
    return o;
}

void add_checks(json::object& to, const check_stats& checks, const std::string& member)
{
    std::uint64_t ok = 0;
    std::uint64_t failed = 0;
    for (const auto& [key, n] : checks.checks)
        if (key[0] == member)
            (key[2] == "ok" ? ok : failed) += n;
    to["checks_ok"] = ok;
    to["checks_failed"] = failed;
}

} // namespace

void add_traffic(
    json::object& to, const process_view& view, const cluster_view& cluster, const health::member& m
)
{
    totals sum;
    for (const auto& l : view.listeners)
        if (l.settings.cluster == cluster.topology->cluster)
            if (const auto it = l.stats.members.find(m.name); it != l.stats.members.end())
                sum.add(it->second);
    const auto& options = cluster.options_of(m.name);
    to["weight"] = options.weight;
    to["backup"] = options.backup;
    to["maxconn"] = limit_of(options.maxconn);
    to["sync_state"] = health::to_string(m.sync);
    sum.write(to);
    add_checks(to, cluster.checks, m.name);
}

void add_traffic(json::object& to, const process_view& view, const listener_view& l)
{
    const auto* cluster = view.find_cluster(l.settings.cluster);
    std::map<std::string, member_stats> members; // the cluster's, also those without a session yet
    if (cluster)
        for (const auto& m : cluster->topology->members)
            members[m.name] = {};
    for (const auto& [name, stats] : l.stats.members)
        members[name] = stats;

    totals sum;
    json::object traffic;
    for (const auto& [name, stats] : members)
    {
        if (!name.empty()) // "" has those who never got a member
            sum.add(stats);
        traffic[name] = traffic_of(stats, cluster ? &cluster->options_of(name) : nullptr);
    }
    json::object holds;
    for (const auto& [result, seconds] : l.stats.hold_seconds)
        holds[result] = count_of(seconds);

    to["balance"] = config::word_of(config::balance_words, l.settings.balance);
    to["maxconn"] = limit_of(l.settings.maxconn);
    to["queue"] = {{"max", l.settings.queue.max}, {"timeout_ms", l.settings.queue.timeout.count()}};
    sum.write(to);
    to["rejects"] = object_of(l.stats.handshake_rejects);
    to["holds"] = std::move(holds);
    to["cancels"] = object_of(l.stats.cancel_requests);
    to["traffic"] = std::move(traffic);
}

} // namespace rolegate::proxy::admin
