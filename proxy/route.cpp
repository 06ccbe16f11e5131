// SPDX-License-Identifier: PostgreSQL
#include "proxy/route.hpp"

#include <algorithm>

namespace rolegate::proxy
{

namespace
{

using health::admission;

bool is_open(destination to, const health::member& m) noexcept
{
    return grant_for(to, m).verdict == admission::open;
}

// HOST:PORT, an IPv6 HOST in brackets.
std::string name_of(const config::host_port& place)
{
    const bool is_ipv6 = place.host.find(':') != std::string::npos;
    return (is_ipv6 ? "[" + place.host + "]" : place.host) + ":" + std::to_string(place.port);
}

} // namespace

const health::grant& grant_for(destination to, const health::member& m) noexcept
{
    static const health::grant undecided;
    return to.index < m.grants.size() ? m.grants[to.index] : undecided;
}

bool may_stay(destination to, const health::topology& t, std::string_view member) noexcept
{
    const auto* m = t.find(member);
    if (!m)
        return !config::is_leader_only(to.role);
    return grant_for(to, *m).verdict != admission::closed;
}

bool must_leave(const health::topology& t, std::string_view member) noexcept
{
    const auto* m = t.find(member);
    return m && m->order.state == health::operator_state::maint;
}

const health::member* relieved_member(destination to, const health::topology& t) noexcept
{
    const auto found = std::ranges::find_if(
        t.members,
        [to](const auto& m) { return std::string_view(grant_for(to, m).rule) == "fallback-over"; }
    );
    return found == t.members.end() ? nullptr : &*found;
}

bool has_stand_in(destination to, const health::topology& t, std::string_view member) noexcept
{
    const auto* m = t.find(member);
    return m && std::string_view(grant_for(to, *m).rule) == "listed-replica" &&
           relieved_member(to, t);
}

listed_places::listed_places(const config::cluster_settings& cluster)
{
    static const std::vector<config::host_port> nobody;
    const auto& list = cluster.tcp        ? cluster.tcp->members
                       : cluster.postgres ? cluster.postgres->members
                                          : nobody;
    for (const auto& place : list)
        by_name_.try_emplace(name_of(place), by_name_.size());
}

std::size_t listed_places::of(std::string_view member) const noexcept
{
    const auto found = by_name_.find(member);
    return found == by_name_.end() ? by_name_.size() : found->second;
}

void find_eligible(
    destination to,
    const health::topology& t,
    health::time_point now,
    const config::cluster_settings& cluster,
    const listed_places& places,
    std::vector<const health::member*>& out
)
{
    out.clear();
    if (t.stale(now))
        return;
    const health::member* first_backup = nullptr;
    const auto comes_before = [&](const health::member& a, const health::member& b)
    { return out.empty() && places.of(a.name) < places.of(b.name); };
    for (const auto& m : t.members)
    {
        if (!is_open(to, m))
            continue;
        if (!cluster.options_of(m.name).backup)
            out.push_back(&m);
        else if (!first_backup || comes_before(m, *first_backup))
            first_backup = &m;
    }
    if (out.empty() && first_backup)
        out.push_back(first_backup);
}

bool has_open_member(destination to, const health::topology& t, health::time_point now) noexcept
{
    return !t.stale(now) &&
           std::ranges::any_of(t.members, [to](const auto& m) { return is_open(to, m); });
}

std::vector<std::string>
open_members(destination to, const health::topology& t, health::time_point now)
{
    std::vector<std::string> names;
    if (!t.stale(now))
        for (const auto& m : t.members)
            if (is_open(to, m))
                names.push_back(m.name);
    return names;
}

} // namespace rolegate::proxy
