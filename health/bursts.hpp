// SPDX-License-Identifier: PostgreSQL
//
// Times of asking often, because something was seen to happen to a member. A hint about nothing
// (clients with a wrong password, say) must not keep us asking fast for ever: bursts that teach
// nothing get rarer. What happens to a rack happens to several members at once. Pure.
#pragma once

#include "health/member.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace rolegate::health
{

class bursts
{
public:
    // Whether a hint about this member begins one; `generation` is that of the belief now.
    [[nodiscard]] bool
    may_begin(const std::string& member, std::uint64_t generation, time_point now) const;

    void begin(const std::string& member, std::uint64_t generation, time_point now);

    // Whom those that run are about, at most four.
    [[nodiscard]] std::vector<std::string> members(time_point now) const;

    [[nodiscard]] bool runs(time_point now) const { return !members(now).empty(); }

private:
    struct burst
    {
        time_point until{};
        std::chrono::milliseconds rest{0}; // before the next, if this one has taught nothing
        std::uint64_t generation = 0;      // of the belief when it began
    };

    std::map<std::string, burst> past_; // of the last minutes, by member
};

} // namespace rolegate::health
