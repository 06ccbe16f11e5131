// SPDX-License-Identifier: PostgreSQL
#include "proxy/door_changes.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace rolegate::proxy
{

namespace
{

using enum health::admission;
using health::grant;
using health::topology;

// Listeners are found by name: a belief from before the first decision has none.
const grant& grant_of(const topology& t, const std::string& listener, const std::string& member)
{
    static const grant none;
    const auto* m = t.find(member);
    const auto at = std::ranges::find(t.listeners, listener);
    const auto index = static_cast<std::size_t>(at - t.listeners.begin());
    return m && at != t.listeners.end() && index < m->grants.size() ? m->grants[index] : none;
}

bool has_open(const topology& t, const std::string& listener)
{
    return std::ranges::any_of(
        t.members, [&](const auto& m) { return grant_of(t, listener, m.name).verdict == open; }
    );
}

// One that had not been heard yet was nothing to anybody, though its verdict may have been `keep`.
bool is_turn(const grant& was, const grant& is)
{
    const bool had_sessions = was.verdict == keep && std::string_view(was.rule) != "unheard";
    return (was.verdict == open) != (is.verdict == open) || (had_sessions && is.verdict == closed);
}

} // namespace

door_changes changes_at_doors(const topology& before, const topology& after)
{
    door_changes out;
    for (const auto& listener : after.listeners)
    {
        if (listener.empty())
            continue; // nobody's seat
        for (const auto& m : after.members)
        {
            const auto& is = grant_of(after, listener, m.name);
            if (is_turn(grant_of(before, listener, m.name), is))
                out.members.push_back({listener, m.name, is});
        }
        for (const auto& m : before.members)
            if (!after.find(m.name) && grant_of(before, listener, m.name).verdict != closed)
                out.members.push_back(
                    {listener, m.name, {closed, "not-a-member", "is no longer a member"}}
                );
        const bool is_open = has_open(after, listener);
        if (is_open != has_open(before, listener))
            out.listeners.push_back({listener, is_open});
    }
    return out;
}

} // namespace rolegate::proxy
