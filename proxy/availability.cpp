// SPDX-License-Identifier: PostgreSQL
#include "proxy/availability.hpp"

#include <algorithm>

namespace rolegate::proxy
{

void availability::on_topology(const health::topology& t, health::time_point now)
{
    for (std::size_t i = 0; i < t.listeners.size(); ++i)
    {
        if (t.listeners[i].empty())
            continue; // nobody's seat
        bool any = false;
        for (const auto& m : t.members)
        {
            const bool open = i < m.grants.size() && m.grants[i].verdict == health::admission::open;
            note(t.listeners[i], m.name, open, now);
            any = any || open;
        }
        note(t.listeners[i], "", any, now);
    }
    // Names of members come from outside, those of listeners change with reloads: neither must pile
    // up. Before its first decision a belief names no listener.
    const auto is_gone = [&t](const auto& r)
    {
        const auto& [listener, member] = r.first;
        return (!member.empty() && !t.find(member)) ||
               (!t.listeners.empty() &&
                std::ranges::find(t.listeners, listener) == t.listeners.end());
    };
    std::erase_if(records_, is_gone);
}

void availability::note(
    const std::string& listener, const std::string& member, bool open, health::time_point now
)
{
    const auto [at, is_new] = records_.try_emplace({listener, member});
    auto& r = at->second;
    if (!is_new && r.open == open)
        return;
    if (!is_new && r.open)
        ++r.losses;
    else if (!is_new)
        r.closed_before += now - r.since;
    r.open = open;
    r.since = now;
}

} // namespace rolegate::proxy
