// SPDX-License-Identifier: PostgreSQL
#include "proxy/handshake_count.hpp"

#include <algorithm>
#include <span>

namespace rolegate::proxy
{

namespace
{

bool is_ipv4(const address_key& a) noexcept
{
    constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::ranges::equal(mapped, std::span(a).first<12>());
}

address_key counted_as(address_key a) noexcept
{
    if (!is_ipv4(a))
        std::fill(a.begin() + 8, a.end(), std::uint8_t{0});
    return a;
}

} // namespace

void handshake_count::set_limits(const config::handshake_limits& limits)
{
    const std::lock_guard lock(mutex_);
    limits_ = limits;
}

handshake_count::answer handshake_count::enter(const std::optional<address_key>& from)
{
    const std::lock_guard lock(mutex_);
    if (size_ >= limits_.max)
        return {{}, limit::listener};
    if (from && limits_.per_address == 0)
        return {{}, limit::address};
    std::optional<address_map::iterator> at;
    if (from)
    {
        at = addresses_.try_emplace(counted_as(*from), 0).first;
        auto& n = (*at)->second;
        if (n >= limits_.per_address)
            return {{}, limit::address};
        ++n;
    }
    ++size_;
    return {token(*this, at), limit::none};
}

void handshake_count::leave(const std::optional<address_map::iterator>& at) noexcept
{
    const std::lock_guard lock(mutex_);
    --size_;
    if (at && --(*at)->second == 0)
        addresses_.erase(*at);
}

std::size_t handshake_count::addresses() const
{
    const std::lock_guard lock(mutex_);
    return addresses_.size();
}

} // namespace rolegate::proxy
