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
bool is_name_of(const config::host_port& place, std::string_view name)
{
    const auto colon = name.rfind(':');
    if (colon == std::string_view::npos || name.substr(colon + 1) != std::to_string(place.port))
        return false;
    auto host = name.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']'))
        host = host.substr(1, host.size() - 2);
    return host == place.host;
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

std::size_t listed_place(const config::cluster_settings& cluster, std::string_view member) noexcept
{
    static const std::vector<config::host_port> nobody;
    const auto& list = cluster.tcp        ? cluster.tcp->members
                       : cluster.postgres ? cluster.postgres->members
                                          : nobody;
    const auto found =
        std::ranges::find_if(list, [member](const auto& p) { return is_name_of(p, member); });
    return static_cast<std::size_t>(found - list.begin());
}

void find_eligible(
    destination to,
    const health::topology& t,
    health::time_point now,
    const config::cluster_settings& cluster,
    std::vector<const health::member*>& out
)
{
    out.clear();
    if (t.stale(now))
        return;
    const health::member* first_backup = nullptr;
    const auto comes_before = [&](const health::member& a, const health::member& b)
    { return out.empty() && listed_place(cluster, a.name) < listed_place(cluster, b.name); };
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
