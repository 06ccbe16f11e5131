// SPDX-License-Identifier: PostgreSQL
//
// What operators' orders may change of a decision, for randomised tests: two chains of beliefs are
// made of the same evidence, one under orders that come and go, the other without any.
#pragma once

#include "health/demands.hpp"
#include "tests/support/small_world.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace rolegate::support
{

// One order comes or goes.
inline void order_something(
    dice& d, health::operator_orders& orders, const std::vector<health::member>& members
)
{
    using enum health::operator_state;
    if (members.empty())
        return;
    const auto& who = members[d.below(members.size())].name;
    if (d.one_in(2))
        orders.erase(who);
    else
        orders[who] = {d.one_in(2) ? drain : maint, "by a test"};
    if (d.one_in(10))
        orders.clear();
}

// The sentence that is broken; "" = none.
inline std::string broken_under_orders(
    const health::topology& ordered,
    const health::topology& plain,
    const health::operator_orders& orders,
    const std::vector<health::demand>& demands
)
{
    using enum health::admission;
    if (ordered.members.size() != plain.members.size() || ordered.lock.holder != plain.lock.holder)
        return "an order changes nothing of what is known";
    for (std::size_t i = 0; i < demands.size(); ++i)
    {
        const auto& wants = demands[i].wants;
        const auto is_open = [i](const health::member& m) { return m.grants[i].verdict == open; };
        const bool one = wants.role == config::listener_role::primary;
        if (one && std::ranges::count_if(ordered.members, is_open) > 1)
            return "at most one member gets writers";
        for (const auto& m : ordered.members)
        {
            const auto* other = plain.find(m.name);
            if (!other || m.write != other->write || m.read != other->read ||
                m.lag_watches != other->lag_watches)
                return "an order changes nothing of what a member is";
            const auto& is = m.grants[i];
            const auto& would_be = other->grants[i];
            if (orders.contains(m.name))
            {
                if (m.order.state == health::operator_state::ready)
                    return "whoever is ordered away says so";
                if (is.verdict == open)
                    return "nobody gets new sessions who is in drain or maint";
                if ((is.verdict == closed) != (would_be.verdict == closed))
                    return "sessions end with the role, and not by an order";
                continue;
            }
            if (m.order.state != health::operator_state::ready)
                return "an order that is lifted is forgotten";
            // The primary stands in where no replica is left.
            if (is != would_be && (orders.empty() || !wants.fallback_primary))
                return "whoever is not ordered away is what it would have been";
        }
    }
    return "";
}

} // namespace rolegate::support
