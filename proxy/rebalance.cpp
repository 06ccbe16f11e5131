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

} // namespace

std::size_t surplus(const holding& of, std::span<const holding> all, std::size_t away) noexcept
{
    std::uint64_t sessions = away;
    std::uint64_t weights = 0;
    for (const auto& h : all)
    {
        sessions += h.sessions;
        weights += h.weight;
    }
    if (all.size() < 2 || weights == 0)
        return 0;
    const auto share = static_cast<std::size_t>((sessions * of.weight + weights - 1) / weights);
    return of.sessions > share + tolerance(share) ? of.sessions - share : 0;
}

std::size_t moves_due(std::size_t surplus, std::size_t sessions, unsigned percent) noexcept
{
    return std::min(surplus, (sessions * percent + 99) / 100);
}

} // namespace rolegate::proxy
