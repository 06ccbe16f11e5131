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
        return role == config::listener_role::replica;
    return grant_for(role, *m).verdict != admission::closed;
}

routed route(
    config::listener_role role,
    const health::topology& t,
    health::time_point now,
    std::uint64_t turn,
    std::span<const std::string> resting
) noexcept
{
    if (t.stale(now))
        return {nullptr, errc::stale_view};

    const auto rests = [resting](const health::member& m)
    { return std::ranges::find(resting, m.name) != resting.end(); };
    std::size_t open = 0;
    std::size_t ready = 0;
    for (const auto& m : t.members)
        if (is_open(role, m))
        {
            ++open;
            ready += rests(m) ? 0U : 1U;
        }
    if (ready == 0)
        return {nullptr, open == 0 ? errc::no_routable_member : errc::resting};

    auto left = turn % ready;
    for (const auto& m : t.members)
        if (is_open(role, m) && !rests(m) && left-- == 0)
            return {&m, errc::none};
    return {nullptr, errc::no_routable_member};
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
