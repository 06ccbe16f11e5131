// SPDX-License-Identifier: PostgreSQL
#include "proxy/traffic_count.hpp"

#include <algorithm>

namespace rolegate::proxy
{

namespace
{

void count(member_traffic& t, std::size_t sessions, rate::time_point now)
{
    ++t.chosen;
    t.most_sessions = std::max(t.most_sessions, sessions);
    t.sessions.note(now);
    t.last = now;
}

} // namespace

void traffic_count::came(time_point now)
{
    const std::lock_guard lock(mutex_);
    ++counted_.came;
    counted_.clients.note(now);
}

void traffic_count::held(std::size_t held, std::size_t inside)
{
    const std::lock_guard lock(mutex_);
    counted_.most_held = std::max(counted_.most_held, held);
    counted_.most_here = std::max(counted_.most_here, held + inside);
}

void traffic_count::chose(
    std::string_view member, std::size_t there, std::size_t all, std::size_t held, time_point now
)
{
    const std::lock_guard lock(mutex_);
    auto m = counted_.members.find(member);
    if (m == counted_.members.end())
        m = counted_.members.try_emplace(std::string(member)).first;
    count(m->second, there, now);
    count(counted_.all, all, now);
    counted_.most_here = std::max(counted_.most_here, all + held);
}

listener_traffic traffic_count::so_far() const
{
    const std::lock_guard lock(mutex_);
    return counted_;
}

} // namespace rolegate::proxy
