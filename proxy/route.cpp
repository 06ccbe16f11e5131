// SPDX-License-Identifier: PostgreSQL
#include "proxy/route.hpp"

#include <algorithm>

namespace rolegate::proxy
{

namespace
{

using health::admission;

bool is_open(config::listener_role role, const health::member& m) noexcept
{
    return grant_for(role, m).verdict == admission::open;
}

} // namespace

const health::grant& grant_for(config::listener_role role, const health::member& m) noexcept
{
    return role == config::listener_role::primary ? m.write : m.read;
}

bool may_stay(
    config::listener_role role, const health::topology& t, std::string_view member
) noexcept
{
    const auto* m = t.find(member);
    if (!m)
        return role != config::listener_role::primary;
    return grant_for(role, *m).verdict != admission::closed;
}

void find_eligible(
    config::listener_role role,
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
    for (const auto& m : t.members)
    {
        if (!is_open(role, m))
            continue;
        if (!cluster.options_of(m.name).backup)
            out.push_back(&m);
        else if (!first_backup)
            first_backup = &m;
    }
    if (out.empty() && first_backup)
        out.push_back(first_backup);
}

bool has_open_member(
    config::listener_role role, const health::topology& t, health::time_point now
) noexcept
{
    return !t.stale(now) &&
           std::ranges::any_of(t.members, [role](const auto& m) { return is_open(role, m); });
}

std::vector<std::string>
open_members(config::listener_role role, const health::topology& t, health::time_point now)
{
    std::vector<std::string> names;
    if (!t.stale(now))
        for (const auto& m : t.members)
            if (is_open(role, m))
                names.push_back(m.name);
    return names;
}

} // namespace rolegate::proxy
