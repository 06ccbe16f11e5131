// SPDX-License-Identifier: PostgreSQL
#include "health/inherit.hpp"

#include <algorithm>

namespace rolegate::health
{

namespace
{

bool is_open(const member& m, std::size_t listener) noexcept
{
    return listener < m.grants.size() && m.grants[listener].verdict == admission::open;
}

// ": is silent", if it says why.
std::string reason_at(const member& m, std::size_t listener)
{
    if (listener >= m.grants.size() || m.grants[listener].reason.empty())
        return "";
    return ": it " + m.grants[listener].reason;
}

// The heir would write to a member of which the other one knows better: it has been told since
// then that the lock is not that member's, or that another primary has taken its place.
bool opens_a_closed_one(const topology& heir, const topology& current, time_point since) noexcept
{
    const auto* writer = heir.primary();
    const auto* known = writer ? current.find(writer->name) : nullptr;
    const bool knows =
        current.confirmed && *current.confirmed > since &&
        (current.kind != cluster_kind::patroni || current.lock.what != lock_belief::kind::unknown);
    return known && knows && known->write.verdict == admission::closed;
}

} // namespace

topology inherit(const topology& heir, const topology& known)
{
    topology t = heir;
    if (!heir.confirmed)
    {
        t = known;
        t.kind = heir.kind;
        t.began = heir.began;
        t.stale_after = heir.stale_after;
        t.end_when_stale = heir.end_when_stale;
    }
    if (known.highest_timeline > t.highest_timeline)
    {
        t.highest_timeline = known.highest_timeline;
        t.timeline_since = known.timeline_since;
    }
    if (t.system_identifier.empty())
        t.system_identifier = known.system_identifier;
    if (!t.primary())
        t.last_writer = known.last_writer;
    t.fenced = std::max(t.fenced, known.fenced);
    t.generation = std::max(heir.generation, known.generation) + 1;
    t.cause = "the configuration has changed";
    return t;
}

std::string what_it_waits_for(const topology& heir, const topology& current, time_point since)
{
    if (!heir.confirmed || *heir.confirmed <= since)
        return "nobody has said yet what the cluster is";
    // Who watches the DCS sees a change before who asks over REST.
    if (current.dcs.connected && !heir.dcs.source.empty() && !heir.dcs.connected)
        return heir.dcs.source + " is not connected" +
               (heir.dcs.error.empty() ? "" : ": " + heir.dcs.error);
    if (opens_a_closed_one(heir, current, since))
        return heir.primary()->name + " would be written to, which has lost the role";
    for (const auto& m : current.members)
    {
        const auto* same = heir.find(m.name);
        for (std::size_t i = 0; same && i < m.grants.size(); ++i)
            if (is_open(m, i) && !is_open(*same, i))
                return m.name + " would be open no longer" + reason_at(*same, i);
    }
    return "";
}

topology redemanded(topology t, const std::vector<demand>& before, const std::vector<demand>& after)
{
    for (std::size_t i = 0; i < std::min(before.size(), after.size()); ++i)
    {
        if (before[i].wants == after[i].wants)
            continue;
        for (auto& m : t.members)
            if (i < m.lag_watches.size())
                m.lag_watches[i] = {};
    }
    ++t.generation;
    t.cause = "the configuration has changed";
    return t;
}

} // namespace rolegate::health
