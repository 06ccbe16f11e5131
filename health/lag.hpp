// SPDX-License-Identifier: PostgreSQL
//
// Whether a replica is too far behind for a listener: beyond `leave` it is, and stays so until it
// has been at `enter` or below for `lag_dwell`. Pure.
#pragma once

#include "config/demand_settings.hpp"
#include "health/demands.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace rolegate::health
{

[[nodiscard]] inline bool limits_lag(const config::member_demand& d) noexcept
{
    return d.lag || d.lag_time;
}

[[nodiscard]] inline bool limits_lag(const std::vector<demand>& all) noexcept
{
    return std::ranges::any_of(all, [](const demand& d) { return limits_lag(d.wants); });
}

// What follows for `m` from its lag; `was` is what followed before.
[[nodiscard]] lag_watch
watch_lag(const config::member_demand& d, const member& m, lag_watch was, time_point now);

// nullopt: the lag is within the limits. `w` is what watch_lag() has just said.
[[nodiscard]] std::optional<grant>
lag_refusal(const config::member_demand& d, const member& m, const lag_watch& w, time_point now);

} // namespace rolegate::health
