// SPDX-License-Identifier: PostgreSQL
#include "health/topology.hpp"

#include <algorithm>

namespace rolegate::health
{

const char* to_string(member_role r) noexcept
{
    switch (r)
    {
    case member_role::primary:
        return "primary";
    case member_role::replica:
        return "replica";
    case member_role::standby_leader:
        return "standby_leader";
    case member_role::unknown:
        break;
    }
    return "unknown";
}

const char* to_string(member_state s) noexcept
{
    switch (s)
    {
    case member_state::running:
        return "running";
    case member_state::starting:
        return "starting";
    case member_state::stopping:
        return "stopping";
    case member_state::stopped:
        return "stopped";
    case member_state::crashed:
        return "crashed";
    case member_state::unknown:
        break;
    }
    return "unknown";
}

const char* to_string(sync_state s) noexcept
{
    switch (s)
    {
    case sync_state::async:
        return "async";
    case sync_state::sync:
        return "sync";
    case sync_state::quorum:
        return "quorum";
    case sync_state::unknown:
        break;
    }
    return "unknown";
}

const char* to_string(admission a) noexcept
{
    switch (a)
    {
    case admission::open:
        return "open";
    case admission::keep:
        return "keep";
    case admission::closed:
        break;
    }
    return "closed";
}

const char* to_string(cluster_kind k) noexcept
{
    switch (k)
    {
    case cluster_kind::patroni:
        break;
    case cluster_kind::postgres:
        return "postgres";
    case cluster_kind::tcp:
        return "tcp";
    }
    return "patroni";
}

const char* to_string(operator_state s) noexcept
{
    switch (s)
    {
    case operator_state::ready:
        break;
    case operator_state::drain:
        return "drain";
    case operator_state::maint:
        return "maint";
    }
    return "ready";
}

std::optional<operator_state> operator_state_from(std::string_view word) noexcept
{
    for (const auto s : {operator_state::ready, operator_state::drain, operator_state::maint})
        if (word == to_string(s))
            return s;
    return std::nullopt;
}

const member* topology::find(std::string_view name) const noexcept
{
    const auto it = std::ranges::find(members, name, &member::name);
    return it == members.end() ? nullptr : &*it;
}

const member* topology::primary() const noexcept
{
    const auto it = std::ranges::find_if(
        members, [](const member& m) { return m.write.verdict == admission::open; }
    );
    return it == members.end() ? nullptr : &*it;
}

namespace
{

bool same_grant(const grant& a, const grant& b) noexcept
{
    return a.verdict == b.verdict && std::string_view(a.rule) == b.rule &&
           a.preferred == b.preferred;
}

// Lag, LSNs and reasons with numbers in them move all the time and are no change of belief.
bool same_member(const member& a, const member& b) noexcept
{
    return a.name == b.name && a.host == b.host && a.port == b.port && a.address == b.address &&
           a.other_addresses == b.other_addresses && a.role == b.role && a.state == b.state &&
           a.timeline == b.timeline && a.listed == b.listed && a.sync == b.sync &&
           a.tags == b.tags && a.replication_state == b.replication_state && a.order == b.order &&
           same_grant(a.write, b.write) && same_grant(a.read, b.read) &&
           std::ranges::equal(a.grants, b.grants, same_grant);
}

// Another listener in a seat is news though the verdicts are the same. Before its first decision a
// belief names none, and to name them is no news.
bool same_listeners(const topology& a, const topology& b) noexcept
{
    return a.listeners.empty() || b.listeners.empty() || a.listeners == b.listeners;
}

} // namespace

bool same_belief(const topology& a, const topology& b) noexcept
{
    return a.lock.what == b.lock.what && a.lock.holder == b.lock.holder &&
           a.lock.by_lease == b.lock.by_lease && a.dcs.connected == b.dcs.connected &&
           a.pause == b.pause && a.failsafe_mode == b.failsafe_mode &&
           a.standby_cluster == b.standby_cluster && a.switchover == b.switchover &&
           a.end_when_stale == b.end_when_stale && a.highest_timeline == b.highest_timeline &&
           a.system_identifier == b.system_identifier && a.stale_after == b.stale_after &&
           a.confirmed.has_value() == b.confirmed.has_value() && same_listeners(a, b) &&
           std::ranges::equal(a.members, b.members, same_member);
}

namespace
{

std::string lock_text(const lock_belief& l)
{
    switch (l.what)
    {
    case lock_belief::kind::held:
        return "lock held by " + l.holder + (l.by_lease ? " as far as its lease tells" : "");
    case lock_belief::kind::none:
        return "lock free";
    case lock_belief::kind::unknown:
        break;
    }
    return "lock unknown";
}

std::string switchover_text(const std::optional<planned_switchover>& s)
{
    if (!s)
        return "no switchover is planned any more";
    return "switchover asked for" + (s->from.empty() ? "" : " from " + s->from) +
           (s->to.empty() ? "" : " to " + s->to) + (s->at.empty() ? "" : " at " + s->at);
}

void append(std::string& text, const std::string& part)
{
    if (!text.empty())
        text += "; ";
    text += part;
}

void append_grant_change(
    std::string& text, const member& m, const char* what, const grant* was, const grant& is
)
{
    const auto old_verdict = was ? was->verdict : admission::closed;
    if (old_verdict != is.verdict)
        append(text, m.name + " " + to_string(is.verdict) + " for " + what + ": " + is.reason);
    else if (was && std::string_view(was->rule) != is.rule && is.verdict != admission::closed)
        append(
            text, m.name + " still " + to_string(is.verdict) + " for " + what + ": " + is.reason
        );
}

// What a listener says of a member beyond the member's own verdicts.
void append_listener_changes(
    std::string& text,
    const std::vector<std::string>& listeners,
    const member* was,
    const member& is
)
{
    const auto is_own = [](const member& m, const grant& g)
    { return same_grant(g, m.write) || same_grant(g, m.read); };
    for (std::size_t i = 0; i < std::min(listeners.size(), is.grants.size()); ++i)
    {
        const auto* before = was && i < was->grants.size() ? &was->grants[i] : nullptr;
        const auto& now = is.grants[i];
        if (listeners[i].empty())
            continue; // nobody's
        if (is_own(is, now) && (!before || is_own(*was, *before)))
            continue;
        append_grant_change(text, is, listeners[i].c_str(), before, now);
    }
}

void append_fact_changes(std::string& text, const member& was, const member& is)
{
    // To become known or unknown is no change of the replica's.
    if (was.sync != is.sync && was.sync != sync_state::unknown && is.sync != sync_state::unknown)
        append(text, is.name + " replicates " + to_string(is.sync));
    if (was.replication_state != is.replication_state && !is.replication_state.empty())
        append(text, is.name + " is " + is.replication_state);
    if (was.tags != is.tags)
        append(text, is.name + " has other tags");
    if (was.order != is.order)
        append(
            text,
            is.name + (is.order.state == operator_state::ready
                           ? " ready again by an operator's order"
                           : " " + is.order.reason)
        );
}

std::string what_it_is(const member& m)
{
    if (m.role == member_role::unknown && m.state == member_state::unknown)
        return " is not heard of any more";
    return (m.role == member_role::unknown ? " has an unknown role, is "
                                           : " is a " + std::string(to_string(m.role)) + ", ") +
           to_string(m.state) + ", timeline " +
           (m.timeline ? std::to_string(*m.timeline) : "unknown");
}

void append_member_change(
    std::string& text,
    const std::vector<std::string>& listeners,
    const member* was,
    const member& is
)
{
    append_grant_change(text, is, "writes", was ? &was->write : nullptr, is.write);
    append_grant_change(text, is, "reads", was ? &was->read : nullptr, is.read);
    append_listener_changes(text, listeners, was, is);
    if (was)
        append_fact_changes(text, *was, is);
    if (!was || was->role != is.role || was->state != is.state || was->timeline != is.timeline)
        append(text, is.name + what_it_is(is));
    if (was && was->listed != is.listed)
        append(text, is.name + (is.listed ? " is listed again" : " is no longer listed"));
    if (was && (was->host != is.host || was->port != is.port || was->address != is.address))
        append(text, is.name + " is at " + is.host + ":" + std::to_string(is.port));
}

} // namespace

std::string cause_of_change(const topology& before, const topology& after)
{
    std::string text;
    if (before.lock.what != after.lock.what || before.lock.holder != after.lock.holder ||
        before.lock.by_lease != after.lock.by_lease)
        append(text, lock_text(after.lock));
    if (before.dcs.connected != after.dcs.connected)
        append(
            text,
            after.dcs.connected ? after.dcs.source + " connected"
                                : after.dcs.source + " lost: " + after.dcs.error
        );
    for (const auto& m : after.members)
        append_member_change(text, after.listeners, before.find(m.name), m);
    for (const auto& m : before.members)
        if (!after.find(m.name))
            append(text, m.name + " forgotten");
    if (before.pause != after.pause)
        append(text, after.pause ? "cluster paused" : "cluster resumed");
    if (before.failsafe_mode != after.failsafe_mode)
        append(
            text, after.failsafe_mode ? "failsafe mode switched on" : "failsafe mode switched off"
        );
    if (before.switchover != after.switchover)
        append(text, switchover_text(after.switchover));
    if (before.stale_after != after.stale_after)
        append(
            text, "a view is too old after " + std::to_string(after.stale_after.count()) + " ms"
        );
    if (text.empty() && !same_listeners(before, after))
        return "the listeners are other ones";
    return text.empty() ? "another reason for the same verdicts" : text;
}

} // namespace rolegate::health
