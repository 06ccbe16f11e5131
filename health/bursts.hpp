// SPDX-License-Identifier: PostgreSQL
//
// Times of asking often, because something was seen to happen to a member. A hint about nothing
// (clients with a wrong password, say) must not keep us asking fast for ever: bursts that teach
// nothing get rarer. Pure.
#pragma once

#include "health/member.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace rolegate::health
{

class bursts
{
public:
    // Whether a hint about this member begins one; `generation` is that of the belief now.
    [[nodiscard]] bool
    may_begin(const std::string& member, std::uint64_t generation, time_point now) const;

    void begin(const std::string& member, std::uint64_t generation, time_point now);

    [[nodiscard]] bool runs(time_point now) const noexcept { return now < until_; }

    // Whom the last one is about.
    [[nodiscard]] const std::string& member() const noexcept { return member_; }

private:
    struct burst
    {
        time_point until{};
        std::chrono::milliseconds rest{0}; // before the next, if this one has taught nothing
        std::uint64_t generation = 0;      // of the belief when it began
    };

    time_point until_{};
    std::string member_;
    std::map<std::string, burst> past_; // of the last minutes, by member
};

} // namespace rolegate::health
