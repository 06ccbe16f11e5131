// SPDX-License-Identifier: PostgreSQL
#include "health/check_count.hpp"

#include <algorithm>
#include <utility>

namespace rolegate::health
{

check_count::check_count(const config::check_settings& settings) noexcept
    : rise_(settings.rise), fall_(settings.fall), inter_(settings.inter),
      fastinter_(settings.fastinter.value_or(settings.inter)),
      downinter_(settings.downinter.value_or(settings.inter)), health_(settings.rise)
{
}

void check_count::note(bool was_good) noexcept
{
    const bool alike = std::exchange(last_good_, was_good) == was_good && known_;
    row_ = alike ? std::min(row_ + 1, std::max(rise_, fall_)) : 1;
    known_ = true;
}

void check_count::good() noexcept
{
    note(true);
    health_ = std::min(health_ + 1, highest());
    if (health_ >= rise_)
        health_ = highest();
}

void check_count::bad() noexcept
{
    note(false);
    if (health_ > 0)
        --health_;
    if (health_ < rise_)
        health_ = 0;
}

std::chrono::milliseconds check_count::pause() const noexcept
{
    if (health_ == highest())
        return inter_;
    return health_ == 0 ? downinter_ : fastinter_;
}

std::string check_count::text() const
{
    const auto of = [](unsigned n, unsigned all)
    { return " " + std::to_string(n) + "/" + std::to_string(all); };
    if (!is_up())
        return health_ == 0 ? "DOWN" : "DOWN" + of(health_, rise_);
    return health_ == highest() ? "UP" : "UP" + of(health_ - rise_ + 1, fall_);
}

std::string check_count::reason(const std::string& error) const
{
    const auto of = [this](unsigned all)
    { return std::to_string(std::min(row_, all)) + " of " + std::to_string(all) + " checks "; };
    if (!known_)
        return "not checked yet";
    if (last_good_)
        return is_up() ? "the last check passed" : of(rise_) + "passed";
    // One that was never up, or on its way there, is down by a single one.
    return (is_up() || row_ >= fall_ ? of(fall_) : "the last check ") + "failed: " + error;
}

} // namespace rolegate::health
