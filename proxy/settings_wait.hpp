// SPDX-License-Identifier: PostgreSQL
//
// Whether people must be told that settings of a cluster, taken in by a reload, do not hold yet:
// in a log they are read at night, long after whoever reloaded has gone. Pure.
#pragma once

#include "health/member.hpp"

#include <chrono>
#include <optional>

namespace rolegate::proxy
{

class settings_wait
{
public:
    // While it lasts it is told again and again, but not with every look.
    static constexpr std::chrono::minutes every{10};

    enum class news
    {
        none,
        waits,
        over, // what was told of waits no more: they hold now, or what came in their place
    };

    // `since`: when those that wait were taken in; unset: none do. `usual`: that is no news.
    [[nodiscard]] news look(
        std::optional<health::time_point> since,
        std::chrono::milliseconds usual,
        health::time_point now
    );

    // When those that wait, or waited last, were taken in.
    [[nodiscard]] health::time_point since() const noexcept { return since_; }

private:
    std::optional<health::time_point> told_; // last; unset: not of these
    bool open_ = false;                      // it was told of some, and not that it is over
    health::time_point since_{};
};

} // namespace rolegate::proxy
