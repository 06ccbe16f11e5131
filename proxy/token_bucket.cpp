// SPDX-License-Identifier: PostgreSQL
#include "proxy/token_bucket.hpp"

#include <algorithm>

namespace rolegate::proxy
{

// The literals come first: std::max() then also makes a number of what is none (NaN).
token_bucket::token_bucket(double per_second, double burst) noexcept
    : per_second_(std::max(0.0, per_second)), burst_(std::max(1.0, burst)), tokens_(burst_)
{
}

bool token_bucket::take(time_point now) noexcept
{
    if (now > last_)
    {
        const std::chrono::duration<double> passed = now - last_;
        tokens_ = std::min(burst_, tokens_ + passed.count() * per_second_);
        last_ = now;
    }
    if (tokens_ < 1.0)
        return false;
    tokens_ -= 1.0;
    return true;
}

} // namespace rolegate::proxy
