// SPDX-License-Identifier: PostgreSQL
//
// So many per second in the long run, and so many at once after a pause.
//
// Pure: the time is passed in.
#pragma once

#include <chrono>

namespace rolegate::proxy
{

class token_bucket
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    // Full at the beginning. A bucket that could not hold a whole token would never give one: a
    // `burst` below 1 counts as 1. A `per_second` of 0 or less: nothing comes back.
    token_bucket(double per_second, double burst) noexcept;

    // False: none is left, and none is taken. A `now` earlier than one before it counts as that.
    [[nodiscard]] bool take(time_point now) noexcept;

private:
    double per_second_;
    double burst_;
    double tokens_; // 0..burst_, at last_
    time_point last_{};
};

} // namespace rolegate::proxy
