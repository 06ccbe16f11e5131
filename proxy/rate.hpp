// SPDX-License-Identifier: PostgreSQL
//
// How often something happens a second, now and at most, as HAProxy counts it: what has happened in
// this second, and the part of the second before that is less than a second ago. Pure.
#pragma once

#include <chrono>
#include <cstddef>

namespace rolegate::proxy
{

class rate
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    void note(time_point now) noexcept;

    [[nodiscard]] std::size_t per_second(time_point now) const noexcept;
    [[nodiscard]] std::size_t most() const noexcept { return most_; }

private:
    time_point second_{}; // where the current one began
    std::size_t current_ = 0;
    std::size_t before_ = 0; // in the second before it
    std::size_t most_ = 0;
};

} // namespace rolegate::proxy
