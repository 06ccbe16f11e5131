// SPDX-License-Identifier: PostgreSQL
//
// What one listener's clients have asked for at most, and how fast they come, over all workers:
// HAProxy's smax, qmax, rate, rate_max, lbtot and lastsess. Peaks of each worker would not add up
// to the peak of all, so this is counted in one place, under a lock that a session takes once for
// each step on its way to a server and never afterwards.
#pragma once

#include "proxy/rate.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace rolegate::proxy
{

struct member_traffic
{
    std::uint64_t chosen = 0;      // attempts to connect included that failed
    std::size_t most_sessions = 0; // at once, those that were being connected included
    rate sessions;
    std::optional<rate::time_point> last; // when it was chosen; unset: never
};

struct listener_traffic
{
    std::uint64_t came = 0; // clients that were accepted
    rate clients;
    std::size_t most_here = 0; // on members, or held
    std::size_t most_held = 0;
    member_traffic all; // members together
    std::map<std::string, member_traffic, std::less<>> members;
};

// Thread-safe.
class traffic_count
{
public:
    using time_point = rate::time_point;

    void came(time_point now);

    // With this one `held` wait and `inside` are on members.
    void held(std::size_t held, std::size_t inside);

    // With this one there are so many sessions on this member, and on all; `held` others wait.
    void chose(
        std::string_view member,
        std::size_t there,
        std::size_t all,
        std::size_t held,
        time_point now
    );

    [[nodiscard]] listener_traffic so_far() const;

private:
    mutable std::mutex mutex_;
    listener_traffic counted_;
};

} // namespace rolegate::proxy
