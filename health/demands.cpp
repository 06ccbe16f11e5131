// SPDX-License-Identifier: PostgreSQL
#include "health/demands.hpp"

#include "health/lag.hpp"

#include <algorithm>
#include <initializer_list>

namespace rolegate::health
{

namespace
{

using config::listener_role;
using config::member_demand;

constexpr const char* archive_recovery = "in archive recovery";

// --- roles --------------------------------------------------------------------------------------

// As the leader of a standby cluster. Patroni says "replica" of one that is about to be it.
grant leads_standby_cluster(const topology& t, const member& m)
{
    const bool holds = t.lock.what == lock_belief::kind::held && t.lock.holder == m.name;
    const bool by_role =
        m.role == member_role::standby_leader || (m.role == member_role::replica && holds);
    if (!t.standby_cluster || !by_role)
        return {admission::closed, "not-standby-leader", "does not lead a standby cluster"};
    if (t.lock.what == lock_belief::kind::unknown)
        return {
            admission::keep,
            "lock-unknown",
            "leads a standby cluster by its own word; nobody tells who holds the leader lock"};
    if (!holds)
        return {admission::closed, "lock-elsewhere", "does not hold the leader lock"};
    if (m.state != member_state::running)
        return {admission::keep, "not-running", "its state is '" + m.state_text + "'"};
    if (m.address.empty() || m.port == 0)
        return {admission::keep, "no-address", "its address is not known"};
    return {admission::open, "standby-leader", "holds the leader lock of a standby cluster"};
}

// The one that gives most; of equals the first.
grant best_of(std::initializer_list<grant> all)
{
    // admission's values go from the most to the least.
    return *std::ranges::min_element(all, {}, &grant::verdict);
}

bool runs_from_archive(const topology& t, const member& m)
{
    return std::string_view(m.read.rule) == "not-streaming" &&
           m.replication_state == archive_recovery && !m.address.empty() && m.port != 0 &&
           (!m.timeline || *m.timeline >= t.highest_timeline);
}

std::optional<grant> replication_refusal(const member_demand& d, const member& m)
{
    if (d.replication_state.empty() || m.replication_state == d.replication_state)
        return std::nullopt;
    return grant{
        admission::keep,
        "replication-state",
        m.replication_state.empty() ? "does not say that it is " + d.replication_state
                                    : "is " + m.replication_state};
}

std::optional<grant> sync_refusal(listener_role role, const member& m)
{
    auto wanted = sync_state::async;
    if (role == listener_role::sync || role == listener_role::read_only_sync)
        wanted = sync_state::sync;
    else if (role == listener_role::quorum || role == listener_role::read_only_quorum)
        wanted = sync_state::quorum;
    else if (role != listener_role::async)
        return std::nullopt;
    if (m.sync == wanted)
        return std::nullopt;
    const std::string is = m.sync == sync_state::unknown
                               ? "does not say whether the primary waits for it"
                               : std::string("replicates ") + to_string(m.sync);
    return grant{admission::keep, "sync-state", is};
}

// As a replica, with all that the listener asks of one.
grant as_replica(
    const topology& t, const member& m, const member_demand& d, const lag_watch& lag, time_point now
)
{
    auto g = m.read;
    if (d.replication_state == archive_recovery && runs_from_archive(t, m))
        g = {admission::open, "archive-replica", "is a running replica, in archive recovery"};
    if (g.verdict != admission::open)
        return g;
    if (auto no = replication_refusal(d, m))
        return *no;
    if (auto no = sync_refusal(d.role, m))
        return *no;
    return lag_refusal(d, m, lag, now).value_or(g);
}

bool has_tags(const member& m, const config::tag_map& wanted)
{
    return std::ranges::all_of(
        wanted,
        [&m](const auto& w)
        {
            const auto has = m.tags.find(w.first);
            return has != m.tags.end() && has->second == w.second;
        }
    );
}

std::optional<grant> tag_refusal(const member_demand& d, const member& m)
{
    for (const auto& [tag, value] : d.tags)
    {
        const auto has = m.tags.find(tag);
        if (has == m.tags.end())
            return grant{admission::keep, "tags", "has no tag '" + tag + "'"};
        if (has->second != value)
            return grant{admission::keep, "tags", "its tag '" + tag + "' is '" + has->second + "'"};
    }
    return std::nullopt;
}

grant by_role(
    const topology& t, const member& m, const member_demand& d, const lag_watch& lag, time_point now
)
{
    // Where there is no role there is no other verdict, and nothing else to say why.
    if (!t.has_roles())
        return as_replica(t, m, d, lag, now);
    switch (d.role)
    {
    case listener_role::primary:
        return m.write;
    case listener_role::leader:
        return best_of({m.write, leads_standby_cluster(t, m)});
    case listener_role::standby_leader:
        return leads_standby_cluster(t, m);
    case listener_role::replica:
    case listener_role::sync:
    case listener_role::async:
    case listener_role::quorum:
        return as_replica(t, m, d, lag, now);
    case listener_role::read_only:
    case listener_role::read_only_sync:
    case listener_role::read_only_quorum:
    case listener_role::any:
        break;
    }
    return best_of({m.write, leads_standby_cluster(t, m), as_replica(t, m, d, lag, now)});
}

// Its own check, beside all that its cluster says of it: as with lag only new sessions stay away.
grant unless_check_failed(const member& m, grant g)
{
    if (g.verdict == admission::open && !m.check_failed.empty())
        g = {admission::keep, "http-check", m.check_failed, g.preferred};
    return g;
}

// Whoever holds it back has a reason, and it is the first thing that people must be told. Where the
// role is lost nothing is left to be held back.
grant unless_ordered_away(const member& m, grant g)
{
    if (g.verdict != admission::closed && m.order.state != operator_state::ready)
        g = {admission::keep, "operator", m.order.reason, g.preferred};
    return g;
}

// --- all members of a listener ------------------------------------------------------------------

// Patroni asks tags of everybody but of leaders as such.
grant grant_of(
    const topology& t, const member& m, const member_demand& d, const lag_watch& lag, time_point now
)
{
    auto g = by_role(t, m, d, lag, now);
    if (g.verdict == admission::open && !config::is_leader_only(d.role))
        g = tag_refusal(d, m).value_or(g);
    g.preferred = !d.prefer_tags.empty() && has_tags(m, d.prefer_tags);
    return unless_ordered_away(m, unless_check_failed(m, g));
}

// The primary stands in while no replica is open, and keeps what it has got when one is again. A
// replica that has not been heard yet may be open in a moment.
void fall_back(topology& t, std::size_t index)
{
    const auto is_open = [index](const member& m)
    { return m.grants[index].verdict == admission::open; };
    const auto is_unheard = [](const member& m)
    {
        if (m.order.state != operator_state::ready)
            return false;
        const bool unchecked =
            m.read.verdict == admission::open && m.check_text == "not checked" && !m.host.empty();
        return unchecked || std::string_view(m.read.rule) == "unheard";
    };
    const bool over = std::ranges::any_of(t.members, is_open);
    const bool needed = !over && std::ranges::none_of(t.members, is_unheard);
    for (auto& m : t.members)
    {
        auto& g = m.grants[index];
        if (g.verdict == admission::open || m.write.verdict == admission::closed)
            continue;
        if (over)
            g = {admission::keep, "fallback-over", "is the primary, and a replica is open"};
        else if (needed && m.write.verdict == admission::open)
            g = unless_check_failed(
                m, {admission::open, "fallback", "is the primary, and no replica is open"}
            );
        else
            g = {admission::keep, m.write.rule, m.write.reason};
        g = unless_ordered_away(m, g);
    }
}

lag_watch known_of(const topology& before, const std::string& member, std::size_t index)
{
    const auto* m = before.find(member);
    return m && index < m->lag_watches.size() ? m->lag_watches[index] : lag_watch{};
}

} // namespace

void grant_demands(
    topology& t, const topology& before, const std::vector<demand>& demands, time_point now
)
{
    t.listeners.clear();
    for (auto& m : t.members)
    {
        m.grants.clear();
        m.lag_watches.clear();
    }
    for (std::size_t i = 0; i < demands.size(); ++i)
    {
        const auto& wants = demands[i].wants;
        t.listeners.push_back(demands[i].listener);
        for (auto& m : t.members)
        {
            const auto lag = watch_lag(wants, m, known_of(before, m.name, i), now);
            m.lag_watches.push_back(lag);
            m.grants.push_back(grant_of(t, m, wants, lag, now));
        }
        if (wants.fallback_primary)
            fall_back(t, i);
    }
}

} // namespace rolegate::health
