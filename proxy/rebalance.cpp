// SPDX-License-Identifier: PostgreSQL
#include "proxy/rebalance.hpp"

#include <algorithm>
#include <cstdint>

namespace rolegate::proxy
{

namespace
{

// A twentieth of the share, and one session: `roundrobin` alone leaves as much.
std::size_t tolerance(std::size_t share) noexcept
{
    return 1 + share / 20;
}

// By weight, of all sessions; rounded up.
std::size_t share_of(const holding& of, std::span<const holding> all, std::size_t away) noexcept
{
    std::uint64_t sessions = away;
    std::uint64_t weights = 0;
    for (const auto& h : all)
    {
        sessions += h.sessions;
        weights += h.weight;
    }
    return weights == 0 ? sessions
                        : static_cast<std::size_t>((sessions * of.weight + weights - 1) / weights);
}

} // namespace

std::size_t surplus(const holding& of, std::span<const holding> all, std::size_t away) noexcept
{
    const auto share = share_of(of, all, away);
    return of.sessions > share + tolerance(share) ? of.sessions - share : 0;
}

std::size_t places(std::span<const holding> all, std::size_t away) noexcept
{
    std::size_t free = 0;
    for (const auto& h : all)
    {
        const auto up_to = std::min(share_of(h, all, away), h.most);
        free += up_to > h.sessions ? up_to - h.sessions : 0;
    }
    return free > away ? free - away : 0;
}

std::size_t moves_due(std::size_t surplus, std::size_t sessions, unsigned percent) noexcept
{
    return std::min(surplus, (sessions * percent + 99) / 100);
}

} // namespace rolegate::proxy
