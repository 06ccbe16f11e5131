// SPDX-License-Identifier: PostgreSQL
//
// How much of its weight and maxconn a member has that has just opened: HAProxy's slowstart. A
// server whose caches are cold would else get the share of a warm one at once, or, with leastconn,
// every new session.
//
// Pure. Not thread-safe.
#pragma once

#include "config/settings.hpp"
#include "health/topology.hpp"
#include "proxy/route.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace rolegate::proxy
{

// Effective weights are in sixteenths of configured ones, as HAProxy's are, so that a member of
// weight 1 can start slowly, too.
inline constexpr unsigned weight_scale = 16;

// After `open` of `length`, both whole seconds: weight * floor((16 * open + length) / length), from
// a sixteenth to the whole.
[[nodiscard]] unsigned
effective_weight(unsigned weight, std::chrono::seconds length, std::chrono::seconds open) noexcept;

// max(1, maxconn * floor(100 * open / length) / 100).
[[nodiscard]] std::size_t effective_maxconn(
    std::size_t maxconn, std::chrono::seconds length, std::chrono::seconds open
) noexcept;

// An effective weight in the operator's numbers, rounded up, as HAProxy shows it.
[[nodiscard]] constexpr unsigned shown_weight(unsigned effective) noexcept
{
    return (effective + weight_scale - 1) / weight_scale;
}

class slowstart
{
public:
    using time_point = health::time_point;

    // `cluster` must outlive it.
    slowstart(destination to, const config::cluster_settings& cluster);

    // What `before` knows of the members is known here, too.
    void take_over(const slowstart& before);

    // A member that opens has just started if it was known before to be shut or not to run: heard
    // of, and once somebody had been open. So nobody starts slowly when the process does, or the
    // cluster is first seen. A topology that is not newer than the last one says nothing.
    void adopt(const health::topology& t, time_point now);

    [[nodiscard]] unsigned weight(const std::string& member, time_point now) const;
    [[nodiscard]] std::optional<std::size_t>
    maxconn(const std::string& member, time_point now) const;

    // When some member has more of it; max(): all have the whole.
    [[nodiscard]] time_point next_step(time_point now) const;

private:
    struct record
    {
        bool was_shut = false;           // known to be shut, or not to run
        std::optional<time_point> since; // open, after it was shut
    };

    void note(const health::member& m, record& r, time_point now) const;
    [[nodiscard]] std::optional<std::chrono::seconds>
    warming_for(const std::string& member, time_point now) const;

    destination to_;
    const config::cluster_settings& cluster_;
    std::uint64_t generation_ = 0;
    bool somebody_was_open_ = false;
    std::map<std::string, record, std::less<>> members_;
};

} // namespace rolegate::proxy
