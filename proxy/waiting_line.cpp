// SPDX-License-Identifier: PostgreSQL
#include "proxy/waiting_line.hpp"

namespace rolegate::proxy
{

std::optional<waiting_line::waiter> waiting_line::join(waiter w)
{
    const auto moved_up = is_aside(w.number) ? leave(w.number) : std::nullopt;
    line_.try_emplace(w.number, w.worker);
    return moved_up;
}

void waiting_line::stand_aside(ticket number, member_key member)
{
    const auto found = line_.find(number);
    if (found == line_.end())
        return;
    auto m = by_member_.find(member);
    if (m == by_member_.end())
        m = by_member_.try_emplace({member.first, std::string(member.second)}).first;
    aside_.emplace(number, m);
    m->second.insert(line_.extract(found));
}

std::optional<waiting_line::waiter> waiting_line::leave(ticket number)
{
    line_.erase(number);
    const auto found = aside_.find(number);
    if (found == aside_.end())
        return std::nullopt;
    const auto m = found->second;
    const bool was_first = m->second.begin()->first == number;
    aside_.erase(found);
    m->second.erase(number);
    if (m->second.empty())
    {
        by_member_.erase(m);
        return std::nullopt;
    }
    return was_first ? first_for(m->first) : std::nullopt;
}

void waiting_line::recall()
{
    aside_.clear();
    for (auto& [member, its_line] : by_member_)
        line_.merge(its_line);
    by_member_.clear();
}

std::optional<waiting_line::waiter> waiting_line::first() const
{
    if (line_.empty())
        return std::nullopt;
    return waiter{line_.begin()->first, line_.begin()->second};
}

std::optional<waiting_line::waiter> waiting_line::first_for(member_key member) const
{
    const auto m = by_member_.find(member);
    if (m == by_member_.end())
        return std::nullopt;
    return waiter{m->second.begin()->first, m->second.begin()->second};
}

bool waiting_line::is_behind(ticket number) const
{
    return !line_.empty() && line_.begin()->first < number;
}

bool waiting_line::is_behind(ticket number, member_key member) const
{
    const auto before = first_for(member);
    return before && before->number < number;
}

waiting_line::member_key waiting_line::aside_for(ticket number) const
{
    const auto found = aside_.find(number);
    return found == aside_.end() ? member_key() : member_key(found->second->first);
}

bool waiting_line::is_first_aside(ticket number) const
{
    const auto found = aside_.find(number);
    return found != aside_.end() && found->second->second.begin()->first == number;
}

std::size_t waiting_line::waiting_for(member_key member) const
{
    const auto m = by_member_.find(member);
    return m == by_member_.end() ? 0 : m->second.size();
}

} // namespace rolegate::proxy
