// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/json.hpp"

#include "config/words.hpp"
#include "proxy/admin/cluster_json.hpp"
#include "proxy/admin/json_values.hpp"
#include "proxy/admin/readiness.hpp"
#include "proxy/admin/reload_json.hpp"
#include "proxy/admin/traffic_json.hpp"
#include "proxy/route.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace rolegate::proxy::admin
{

namespace
{

namespace json = boost::json;
using health::time_point;

std::uint64_t
sessions_on(const process_view& view, const std::string& cluster, const std::string& member)
{
    std::uint64_t sum = 0;
    for (const auto& l : view.listeners)
        if (l.settings.cluster == cluster)
            if (const auto it = l.stats.members.find(member); it != l.stats.members.end())
                sum += it->second.sessions;
    return sum;
}

bool is_routable(const health::topology& t, const health::grant& g, time_point now)
{
    return g.verdict == health::admission::open && !t.stale(now);
}

json::object status_of(const process_view& view, const health::topology& t, const health::member& m)
{
    json::object routable;
    const bool wanted = m.order.state == health::operator_state::ready;
    routable["write"] = wanted && is_routable(t, m.write, view.now);
    routable["read"] = wanted && is_routable(t, m.read, view.now);

    json::object o;
    o["name"] = m.name;
    o["host"] = m.host;
    o["port"] = m.port;
    o["role"] = t.has_roles() ? json::value(health::to_string(m.role)) : json::value(nullptr);
    // Of one that is only checked: "UP", "UP 1/3", "DOWN" ... as HAProxy shows it.
    o["state"] = t.has_roles() ? json::value(health::to_string(m.state)) : or_null(m.state_text);
    o["timeline"] = or_null(m.timeline);
    o["lag_bytes"] = or_null(m.lag_bytes);
    o["listed"] = m.listed;
    o["operator_state"] = health::to_string(m.order.state);
    o["routable"] = std::move(routable);
    o["sessions"] = sessions_on(view, t.cluster, m.name);
    o["reason"] = reason_of(t, m, view.now);
    return o;
}

// null: it takes every client.
json::value match_of(const config::listener_settings& l)
{
    if (l.match.empty())
        return nullptr;
    json::object o;
    for (const auto& [parameter, words] : l.match)
        o[parameter] = json::array(words.begin(), words.end());
    return o;
}

json::object status_of(const process_view& view, const listener_view& l)
{
    std::uint64_t sessions = 0;
    for (const auto& [name, member] : l.stats.members)
        sessions += member.sessions;
    const auto* cluster = view.find_cluster(l.settings.cluster);
    json::array members;
    if (cluster)
        for (const auto& name : open_members(l.to, *cluster->topology, view.now))
            members.emplace_back(name);

    json::object o;
    o["bind"] = json::array(l.bound.begin(), l.bound.end());
    o["match"] = match_of(l.settings);
    o["cluster"] = l.settings.cluster;
    o["role"] = role_word(l);
    o["sessions"] = sessions;
    o["held"] = l.stats.held;
    o["paused"] = l.paused;
    o["members"] = std::move(members);
    add_traffic(o, view, l);
    return o;
}

// null: it was never asked over SQL.
json::value sql_object(const health::member& m, time_point now)
{
    if (!m.sql_seen && m.sql_error.empty())
        return nullptr;
    json::object o;
    o["in_recovery"] = or_null(m.sql_in_recovery);
    o["age_ms"] = age_ms(m.sql_seen, now);
    o["error"] = or_null(m.sql_error);
    return o;
}

json::object evidence_of(const health::topology& t, const health::member& m, time_point now)
{
    json::object o;
    o["role"] = t.has_roles() ? json::value(health::to_string(m.role)) : json::value(nullptr);
    o["state"] = health::to_string(m.state);
    o["state_text"] = or_null(m.state_text);
    if (!t.has_roles())
        o["check"] = m.state_text;
    o["http_check"] = t.has_roles() ? or_null(m.check_text) : json::value(nullptr);
    o["timeline"] = or_null(m.timeline);
    o["lag_bytes"] = or_null(m.lag_bytes);
    o["lag_time_ms"] = m.lag_time ? json::value(m.lag_time->count()) : json::value(nullptr);
    o["sync_state"] = health::to_string(m.sync);
    o["replication_state"] = or_null(m.replication_state);
    json::object tags;
    for (const auto& [tag, value] : m.tags)
        tags[tag] = value;
    o["tags"] = std::move(tags);
    o["listed"] = m.listed;
    o["listed_age_ms"] = age_ms(m.listed_seen, now);
    o["word_age_ms"] = age_ms(m.word_seen, now);
    o["error"] = or_null(m.error);
    o["sql"] = sql_object(m, now);
    o["host"] = m.host;
    o["port"] = m.port;
    o["address"] = or_null(m.address);
    o["api_url"] = or_null(m.api_url);
    return o;
}

// null: it gets no new sessions from this listener.
json::value share_object(const listener_view& l, const std::string& member)
{
    const auto found = l.shares.find(member);
    if (found == l.shares.end())
        return nullptr;
    const auto& share = found->second;
    json::object o;
    o["weight"] = share.weight;
    o["of"] = share.of;
    o["throttle"] = share.percent;
    o["idle_backup"] = share.is_idle;
    return o;
}

json::object verdict_of(
    const listener_view& l, const health::topology& t, const health::member& m, time_point now
)
{
    const auto& g = grant_for(l.to, m);
    json::object o;
    o["name"] = m.name;
    o["routable"] = is_routable(t, g, now);
    o["verdict"] = health::to_string(g.verdict);
    o["rule"] = g.rule;
    o["reason"] = g.reason;
    o["preferred"] = g.preferred;
    o["share"] = share_object(l, m.name);
    o["evidence"] = evidence_of(t, m, now);
    return o;
}

// One entry for each member, or seed that has not told its name, and source that was asked.
json::array checks_of(const cluster_view& cluster, time_point now)
{
    json::array out;
    const auto& checks = cluster.checks.checks;
    for (auto it = checks.begin(); it != checks.end();)
    {
        const auto& member = it->first[0];
        const auto& source = it->first[1];
        json::object results;
        for (const auto begin = it; it != checks.end() && it->first[0] == begin->first[0] &&
                                    it->first[1] == begin->first[1];
             ++it)
            results[it->first[2]] = it->second;

        const auto* failure = cluster.failure_of(member, source);
        json::object o;
        o["member"] = member;
        o["source"] = source;
        o["results"] = std::move(results);
        o["error"] = failure ? json::value(failure->error) : json::value(nullptr);
        o["error_age_ms"] = failure ? age_ms(failure->seen, now) : json::value(nullptr);
        out.push_back(std::move(o));
    }
    return out;
}

json::object explain_of(const cluster_view& cluster, time_point now)
{
    auto o = cluster_object(cluster, now);
    o["cause"] = or_null(cluster.topology->cause);
    o["checks"] = checks_of(cluster, now);
    return o;
}

json::object explain_of(const process_view& view, const listener_view& l)
{
    const auto* cluster = view.find_cluster(l.settings.cluster);
    const auto why = why_not_ready(view, l);
    json::array members;
    if (cluster)
        for (const auto& m : cluster->topology->members)
            members.push_back(verdict_of(l, *cluster->topology, m, view.now));

    json::object o;
    o["bind"] = json::array(l.bound.begin(), l.bound.end());
    o["match"] = match_of(l.settings);
    o["cluster"] = l.settings.cluster;
    if (cluster)
        o["cluster_kind"] = health::to_string(cluster->topology->kind);
    o["role"] = role_word(l);
    o["ready"] = why.empty();
    o["reason"] = or_null(why);
    o["balance"] = config::word_of(config::balance_words, l.settings.balance);
    o["paused"] = l.paused;
    o["members"] = std::move(members);
    return o;
}

std::string as_text(const json::object& o)
{
    return json::serialize(o) + "\n";
}

} // namespace

std::string status_json(const process_view& view)
{
    json::object clusters;
    for (const auto& c : view.clusters)
    {
        const auto& t = *c.topology;
        auto o = cluster_object(c, view.now);
        json::array members;
        for (const auto& m : t.members)
            add_traffic(members.emplace_back(status_of(view, t, m)).as_object(), view, c, m);
        o["members"] = std::move(members);
        clusters[t.cluster] = std::move(o);
    }
    json::object listeners;
    for (const auto& l : view.listeners)
        listeners[l.settings.name] = status_of(view, l);

    json::object all;
    all["version"] = view.version;
    all["shutting_down"] = view.shutting_down;
    all["config"] = json_of(view.config);
    all["process"] = process_object(view);
    all["clusters"] = std::move(clusters);
    all["listeners"] = std::move(listeners);
    return as_text(all);
}

std::string explain_json(const process_view& view, std::string_view only)
{
    json::object listeners;
    json::object clusters;
    for (const auto& l : view.listeners)
    {
        if (!only.empty() && l.settings.name != only)
            continue;
        listeners[l.settings.name] = explain_of(view, l);
        if (const auto* c = view.find_cluster(l.settings.cluster))
            clusters[l.settings.cluster] = explain_of(*c, view.now);
    }

    json::object all;
    all["version"] = view.version;
    all["clusters"] = std::move(clusters);
    all["listeners"] = std::move(listeners);
    return as_text(all);
}

std::string error_json(std::string_view text)
{
    return as_text({{"error", text}});
}

} // namespace rolegate::proxy::admin
