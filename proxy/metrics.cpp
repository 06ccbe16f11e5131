// SPDX-License-Identifier: PostgreSQL
#include "proxy/metrics.hpp"

#include "proxy/metric_family.hpp"
#include "proxy/process_metrics.hpp"
#include "proxy/route.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>

namespace rolegate::proxy
{

namespace
{

using label_list = metric_family::label_list;
using prometheus::MetricType;

constexpr auto counter = MetricType::Counter;
constexpr auto gauge = MetricType::Gauge;
constexpr auto durations = MetricType::Histogram; // seconds
using family = metric_family;

label_list with(label_list labels, const char* name, const char* value)
{
    labels.push_back({name, value});
    return labels;
}

// The members of the listener's cluster first appear with 0, so that rates and sums see their
// first session.
std::map<std::string, std::uint64_t> sessions_now(const process_view& view, const listener_view& l)
{
    std::map<std::string, std::uint64_t> now;
    if (const auto* cluster = view.find_cluster(l.settings.cluster))
        for (const auto& m : cluster->topology->members)
            now[m.name] = 0;
    for (const auto& [member, stats] : l.stats.members)
        if (!member.empty() || stats.sessions > 0)
            now[member] = stats.sessions;
    return now;
}

void add_sessions(families& out, const process_view& view)
{
    family now(gauge, "sessions", "Sessions that exist now.");
    family ended(counter, "sessions_total", "Sessions that ended, by HAProxy's termination state.");
    family seconds(durations, "session_duration_seconds", "From accepting a client to its end.");
    family shut(counter, "sessions_shutdown_total", "Sessions that Rolegate ended, by reason.");
    for (const auto& l : view.listeners)
    {
        const auto& listener = l.settings.name;
        for (const auto& [member, count] : sessions_now(view, l))
        {
            const label_list labels{{"listener", listener}, {"member", member}};
            now.add(labels, count);
            // From the start, or the first cut would be no increase.
            const auto stats = l.stats.members.find(member);
            if (stats == l.stats.members.end() || !stats->second.shut_down.contains("role_lost"))
                shut.add(with(labels, "reason", "role_lost"), std::uint64_t{0});
        }
        for (const auto& [member, stats] : l.stats.members)
        {
            for (const auto& [state, count] : stats.ended)
                ended.add(
                    {{"listener", listener}, {"member", member}, {"termination", state}}, count
                );
            for (const auto& [reason, count] : stats.shut_down)
                shut.add({{"listener", listener}, {"member", member}, {"reason", reason}}, count);
        }
        seconds.add({{"listener", listener}}, l.stats.session_seconds);
    }
    now.move_to(out);
    ended.move_to(out);
    seconds.move_to(out);
    shut.move_to(out);
}

void add_traffic(families& out, const process_view& view)
{
    family bytes(counter, "bytes_total", "Bytes relayed; in: from the client, out: to the client.");
    family connects(durations, "connect_duration_seconds", "Connects to members that succeeded.");
    family failed(
        counter, "connect_failures_total", "Members that a client could not have when it was sent."
    );
    for (const auto& l : view.listeners)
        for (const auto& [member, stats] : l.stats.members)
        {
            if (member.empty())
                continue;
            const label_list labels{{"listener", l.settings.name}, {"member", member}};
            bytes.add(with(labels, "direction", "in"), stats.bytes_in);
            bytes.add(with(labels, "direction", "out"), stats.bytes_out);
            connects.add(labels, stats.connect_seconds);
            failed.add(labels, stats.failed);
        }
    bytes.move_to(out);
    connects.move_to(out);
    failed.move_to(out);
}

void add_door(families& out, const process_view& view)
{
    family held(gauge, "held_clients", "Clients held now, until a member is routable.");
    family holds(durations, "hold_duration_seconds", "How long clients were held, by result.");
    family rejects(
        counter, "handshake_rejects_total", "Clients refused before a session, by reason."
    );
    family paused(gauge, "listener_paused", "1 while an operator holds new clients.");
    family cancels(counter, "cancel_requests_total", "CancelRequests of clients, by result.");
    for (const auto& l : view.listeners)
    {
        const auto& listener = l.settings.name;
        held.add({{"listener", listener}}, l.stats.held);
        paused.add({{"listener", listener}}, l.paused ? 1.0 : 0.0);
        for (const auto& [result, seconds] : l.stats.hold_seconds)
            holds.add({{"listener", listener}, {"result", result}}, seconds);
        for (const auto& [reason, count] : l.stats.handshake_rejects)
            rejects.add({{"listener", listener}, {"reason", reason}}, count);
        for (const auto& [result, count] : l.stats.cancel_requests)
            cancels.add({{"listener", listener}, {"result", result}}, count);
    }
    held.move_to(out);
    paused.move_to(out);
    holds.move_to(out);
    rejects.move_to(out);
    cancels.move_to(out);
}

void add_routable(families& out, const process_view& view)
{
    family routable(
        gauge, "member_routable", "1 if the listener sends new sessions to the member."
    );
    family members(gauge, "routable_members", "Members the listener sends new sessions to.");
    for (const auto& l : view.listeners)
    {
        const auto* cluster = view.find_cluster(l.settings.cluster);
        if (!cluster)
            continue;
        const auto& t = *cluster->topology;
        const auto count = open_members(l.to, t, view.now).size();
        members.add({{"listener", l.settings.name}}, std::uint64_t{count});
        for (const auto& m : t.members)
        {
            const bool open = grant_for(l.to, m).verdict == health::admission::open;
            routable.add(
                {{"listener", l.settings.name}, {"member", m.name}},
                open && !t.stale(view.now) ? 1.0 : 0.0
            );
        }
    }
    routable.move_to(out);
    members.move_to(out);
}

void add_members(families& out, const process_view& view)
{
    family role(gauge, "member_role", "1 for the role the member has, 0 for the others.");
    family lag(gauge, "member_lag_bytes", "Replication lag as the cluster's members report it.");
    family timeline(gauge, "member_timeline", "PostgreSQL timeline of the member.");
    for (const auto& c : view.clusters)
        for (const auto& m : c.topology->members)
        {
            using enum health::member_role;
            const label_list labels{{"cluster", c.topology->cluster}, {"member", m.name}};
            if (c.topology->has_roles())
                for (const auto r : {primary, replica, standby_leader, unknown})
                    role.add(with(labels, "role", health::to_string(r)), m.role == r ? 1.0 : 0.0);
            if (m.lag_bytes)
                lag.add(labels, static_cast<double>(*m.lag_bytes));
            if (m.timeline)
                timeline.add(labels, static_cast<double>(*m.timeline));
        }
    role.move_to(out);
    lag.move_to(out);
    timeline.move_to(out);
}

// Never confirmed is older than any limit of an alert.
double age_seconds(const health::topology& t, health::time_point now)
{
    if (!t.confirmed)
        return std::numeric_limits<double>::infinity();
    return std::chrono::duration<double>(now - *t.confirmed).count();
}

void add_topology(families& out, const process_view& view)
{
    family generation(gauge, "topology_generation", "Rises with every change of belief.");
    family age(gauge, "topology_age_seconds", "Since the view of the cluster was last confirmed.");
    family stale(gauge, "topology_stale", "1 when the view is too old to route by.");
    family primary(
        gauge,
        "cluster_has_primary",
        "1 while a member is open for writes; absent where none is ever."
    );
    family changes(
        counter, "role_changes_total", "Members that gained or lost the primary's role."
    );
    family outage(
        durations, "write_unavailable_seconds", "From losing the primary to the next one."
    );
    for (const auto& c : view.clusters)
    {
        const auto& cluster = c.topology->cluster;
        generation.add({{"cluster", cluster}}, c.topology->generation);
        age.add({{"cluster", cluster}}, age_seconds(*c.topology, view.now));
        const bool is_stale = c.topology->stale(view.now);
        stale.add({{"cluster", cluster}}, is_stale ? 1.0 : 0.0);
        if (c.topology->has_roles() && !c.topology->standby_cluster)
            primary.add({{"cluster", cluster}}, c.topology->primary() && !is_stale ? 1.0 : 0.0);
        for (const auto& [kind, count] : c.role_changes)
            changes.add({{"cluster", cluster}, {"kind", kind}}, count);
        outage.add({{"cluster", cluster}}, c.write_unavailable);
    }
    generation.move_to(out);
    age.move_to(out);
    stale.move_to(out);
    primary.move_to(out);
    changes.move_to(out);
    outage.move_to(out);
}

void add_lock(families& out, const process_view& view)
{
    family connected(
        gauge, "dcs_connected", "1 while the DCS is watched and answers; absent without a DCS."
    );
    family left(
        gauge,
        "lock_ttl_seconds",
        "Time left of the lease behind the leader lock; absent while unknown."
    );
    for (const auto& c : view.clusters)
    {
        const label_list labels{{"cluster", c.topology->cluster}};
        const auto& lock = c.topology->lock;
        if (!c.topology->dcs.source.empty())
            connected.add(labels, c.topology->dcs.connected ? 1.0 : 0.0);
        // Said by another source, the lock may have been renewed since the DCS last told its end.
        const bool known = lock.ends && c.topology->dcs.source == lock.source;
        if (lock.what == health::lock_belief::kind::held && known)
        {
            const std::chrono::duration<double> seconds = *lock.ends - view.now;
            left.add(labels, std::max(seconds.count(), 0.0));
        }
    }
    connected.move_to(out);
    left.move_to(out);
}

void add_checks(families& out, const process_view& view)
{
    family checks(counter, "checks_total", "Requests to sources, by result.");
    family seconds(durations, "check_duration_seconds", "How long requests to sources took.");
    for (const auto& c : view.clusters)
    {
        const auto& cluster = c.topology->cluster;
        for (const auto& [key, count] : c.checks.checks)
            checks.add(
                {{"cluster", cluster}, {"member", key[0]}, {"source", key[1]}, {"result", key[2]}},
                count
            );
        for (const auto& [source, h] : c.checks.seconds)
            seconds.add({{"cluster", cluster}, {"source", source}}, h);
    }
    checks.move_to(out);
    seconds.move_to(out);
}

} // namespace

std::string metrics_text(const process_view& view)
{
    families all;
    add_sessions(all, view);
    add_traffic(all, view);
    add_door(all, view);
    add_routable(all, view);
    add_members(all, view);
    add_topology(all, view);
    add_lock(all, view);
    add_checks(all, view);
    add_process_metrics(all, view);
    return prometheus::TextSerializer().Serialize(all);
}

} // namespace rolegate::proxy
