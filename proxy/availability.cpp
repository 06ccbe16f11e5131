// SPDX-License-Identifier: PostgreSQL
#include "proxy/availability.hpp"

namespace rolegate::proxy
{

void availability::on_topology(const health::topology& t, health::time_point now)
{
    for (std::size_t i = 0; i < t.listeners.size(); ++i)
    {
        bool any = false;
        for (const auto& m : t.members)
        {
            const bool open = i < m.grants.size() && m.grants[i].verdict == health::admission::open;
            note(t.listeners[i], m.name, open, now);
            any = any || open;
        }
        note(t.listeners[i], "", any, now);
    }
    // Names of members come from outside and must not pile up.
    std::erase_if(
        records_, [&t](const auto& r) { return !r.first.second.empty() && !t.find(r.first.second); }
    );
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
