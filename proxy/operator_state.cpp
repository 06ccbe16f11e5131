// SPDX-License-Identifier: PostgreSQL
#include "proxy/operator_state.hpp"

#include <array>
#include <ctime>
#include <utility>

namespace rolegate::proxy
{

void standing_orders::set_member(
    const std::string& cluster, const std::string& member, member_order order
)
{
    auto& of_cluster = members[cluster];
    if (order.state == health::operator_state::ready)
        of_cluster.erase(member);
    else
        of_cluster[member] = std::move(order);
    if (of_cluster.empty())
        members.erase(cluster);
}

void standing_orders::set_paused(const std::string& listener, bool is_paused, ordered_by by)
{
    if (is_paused)
        paused[listener] = std::move(by);
    else
        paused.erase(listener);
}

bool standing_orders::has_member(const std::string& cluster, const std::string& member) const
{
    const auto found = members.find(cluster);
    return found != members.end() && found->second.contains(member);
}

health::operator_orders standing_orders::orders_of(const std::string& cluster) const
{
    health::operator_orders out;
    const auto found = members.find(cluster);
    if (found == members.end())
        return out;
    for (const auto& [member, order] : found->second)
    {
        const bool drained = order.state == health::operator_state::drain;
        out[member] = {
            order.state, (drained ? "drained " : "in maintenance, ") + text_of(order.by)};
    }
    return out;
}

std::string text_of(const ordered_by& by)
{
    const auto seconds = std::chrono::system_clock::to_time_t(by.at);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
    return (by.who.empty() ? "at " : "by " + by.who + " at ") + std::string(text.data(), size);
}

} // namespace rolegate::proxy
