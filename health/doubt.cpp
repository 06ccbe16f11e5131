// SPDX-License-Identifier: PostgreSQL
#include "health/doubt.hpp"

#include <algorithm>

namespace rolegate::health
{

namespace
{

using namespace std::chrono_literals;

// After the first false alarm this long, then twice as long each time.
constexpr clock::duration first_pause = 1s;
constexpr clock::duration longest_pause = 60s;

} // namespace

void doubt::refused(time_point now) noexcept
{
    if (now < deaf_until_)
        return;
    if (settled_ && now - deaf_until_ > longest_pause)
        pause_ = {}; // the last false alarm is long ago
    settled_ = false;
    since_ = now;
}

void doubt::spoke(time_point asked, bool good, time_point now) noexcept
{
    if (settled_ || asked <= since_)
        return;
    settled_ = true;
    pause_ = good ? std::clamp(2 * pause_, first_pause, longest_pause) : clock::duration{};
    deaf_until_ = now + pause_;
}

} // namespace rolegate::health
