// SPDX-License-Identifier: PostgreSQL
#include "proxy/route.hpp"

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
        return role == config::listener_role::replica;
    return grant_for(role, *m).verdict != admission::closed;
}

routed route(
    config::listener_role role,
    const health::topology& t,
    health::time_point now,
    std::uint64_t turn,
    std::string_view avoid
) noexcept
{
    if (t.stale(now))
        return {nullptr, errc::stale_view};

    std::size_t open = 0;
    std::size_t others = 0; // open, and not the one to avoid
    for (const auto& m : t.members)
        if (is_open(role, m))
        {
            ++open;
            others += m.name != avoid ? 1 : 0;
        }
    if (open == 0)
        return {nullptr, errc::no_routable_member};

    const bool skip = others > 0;
    auto left = turn % (skip ? others : open);
    for (const auto& m : t.members)
    {
        if (!is_open(role, m) || (skip && m.name == avoid))
            continue;
        if (left-- == 0)
            return {&m, errc::none};
    }
    return {nullptr, errc::no_routable_member};
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
