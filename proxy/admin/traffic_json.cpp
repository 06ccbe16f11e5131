// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/traffic_json.hpp"

#include "config/words.hpp"
#include "proxy/admin/readiness.hpp"

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

// null: it has not happened yet.
json::value ms_since(const std::optional<health::time_point>& then, health::time_point now)
{
    return then ? json::value(ms_between(*then, now)) : json::value(nullptr);
}

// HAProxy's smax, rate_max and lastsess.
void add_peaks(json::object& to, const member_traffic& t, health::time_point now)
{
    to["sessions_max"] = t.most_sessions;
    to["rate_max"] = t.sessions.most();
    to["last_session_ms"] = ms_since(t.last, now);
}

// HAProxy's lastchg, chkdown and downtime; nothing before the first belief.
void add_service(json::object& to, const service_record* s, health::time_point now)
{
    if (!s)
        return;
    to["last_change_ms"] = ms_between(s->since, now);
    to["losses"] = s->losses;
    to["downtime_ms"] = ms_between(health::time_point{}, health::time_point(s->closed_for(now)));
}

const config::member_settings& options_of(const cluster_view& c, const std::string& member)
{
    static const config::member_settings none;
    const auto found = c.options.find(member);
    return found == c.options.end() ? none : found->second;
}

// Its own counters; limits and peaks are for one listener: each has its own places.
json::object traffic_of(const member_stats& m)
{
    totals sum;
    sum.add(m);
    const auto connects = count_of(m.connect_seconds);
    json::object o;
    o["sessions"] = m.sessions;
    sum.write(o);
    o["connects"] = connects;
    o["connect_avg_ms"] =
        connects > 0 ? json::value(1000 * m.connect_seconds.sum / static_cast<double>(connects))
                     : json::value(nullptr);
    o["ended"] = object_of(m.ended);
    o["shut_down"] = object_of(m.shut_down);
    o["failed"] = m.failed;
    o["retries"] = m.retries;
    o["redispatches"] = m.redispatches;
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

// When the last listener began or ceased to send it sessions; unset: not known yet.
std::optional<health::time_point>
last_change(const process_view& view, const cluster_view& cluster, const std::string& member)
{
    std::optional<health::time_point> last;
    for (const auto& l : view.listeners)
        if (l.settings.cluster == cluster.topology->cluster)
            if (const auto* s = cluster.service(l.settings.name, member))
                last = std::max(last.value_or(s->since), s->since);
    return last;
}

json::object traffic_of(
    const process_view& view,
    const listener_view& l,
    const cluster_view* cluster,
    const std::string& member,
    const member_stats& stats
)
{
    auto o = traffic_of(stats);
    const auto traffic = l.traffic.members.find(member);
    add_peaks(o, traffic == l.traffic.members.end() ? member_traffic{} : traffic->second, view.now);
    if (cluster)
    {
        o["maxconn"] = limit_of(options_of(*cluster, member).maxconn);
        add_service(o, cluster->service(l.settings.name, member), view.now);
    }
    return o;
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
    const auto& options = options_of(cluster, m.name);
    to["weight"] = options.weight;
    to["backup"] = options.backup;
    to["maxconn"] = limit_of(options.maxconn);
    to["sync_state"] = health::to_string(m.sync);
    sum.write(to);
    add_checks(to, cluster.checks, m.name);
    if (const auto changed = last_change(view, cluster, m.name))
        to["last_change_ms"] = ms_between(*changed, view.now);
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
        traffic[name] = traffic_of(view, l, cluster, name, stats);
    }
    json::object holds;
    for (const auto& [result, seconds] : l.stats.hold_seconds)
        holds[result] = count_of(seconds);

    to["balance"] = config::word_of(config::balance_words, l.settings.balance);
    to["maxconn"] = limit_of(l.settings.maxconn);
    to["queue"] = {{"max", l.settings.queue.max}, {"timeout_ms", l.settings.queue.timeout.count()}};
    sum.write(to);
    add_peaks(to, l.traffic.all, view.now);
    to["held_max"] = l.traffic.most_held;
    if (cluster)
        add_service(to, cluster->service(l.settings.name, ""), view.now);
    to["rejects"] = object_of(l.stats.handshake_rejects);
    to["holds"] = std::move(holds);
    to["cancels"] = object_of(l.stats.cancel_requests);
    to["traffic"] = std::move(traffic);
}

json::object process_object(const process_view& view)
{
    using std::chrono::milliseconds;
    const auto now = view.wall_clock.time_since_epoch();
    const auto loaded = view.config.loaded.time_since_epoch();
    const auto& u = view.usage;
    const auto or_null = [](const auto& v) { return v ? json::value(*v) : json::value(nullptr); };
    json::object o;
    o["uptime_ms"] = u.started ? json::value(
                                     std::chrono::duration_cast<milliseconds>(now).count() -
                                     static_cast<std::int64_t>(1000 * *u.started)
                                 )
                               : json::value(nullptr);
    o["config_age_ms"] = std::chrono::duration_cast<milliseconds>(now - loaded).count();
    o["config_reload_ok"] = view.config.error.empty();
    o["maxconn"] = view.maxconn;
    o["open_files"] = or_null(u.open_fds);
    o["max_files"] = or_null(u.max_fds);
    o["resident_bytes"] = or_null(u.resident_bytes);
    o["cpu_seconds"] = u.cpu_seconds;
    json::object certificates;
    for (const auto& [file, ends] : view.certificates)
        certificates[file] =
            std::chrono::duration_cast<milliseconds>(ends - view.wall_clock).count();
    o["certificates_end_in_ms"] = std::move(certificates);
    return o;
}

} // namespace rolegate::proxy::admin
