// SPDX-License-Identifier: PostgreSQL
#include "health/bursts.hpp"

#include <algorithm>

namespace rolegate::health
{

namespace
{

using namespace std::chrono_literals;

// After a hint the member is asked at fast_interval for this long. What it then says makes the
// belief unsettled, or the hint was about nothing and the next one of its kind has to wait.
constexpr auto length = 1s;
constexpr std::chrono::milliseconds first_rest = 10s;
constexpr std::chrono::milliseconds longest_rest = 80s; // doubled each time

// Four members at a fast_interval of 50 ms are 80 requests a second, for a second.
constexpr std::size_t at_once = 4;

} // namespace

bool bursts::may_begin(const std::string& member, std::uint64_t generation, time_point now) const
{
    if (members(now).size() >= at_once)
        return false;
    const auto last = past_.find(member);
    return last == past_.end() || now >= last->second.until + last->second.rest ||
           (now >= last->second.until && generation != last->second.generation);
}

std::vector<std::string> bursts::members(time_point now) const
{
    std::vector<std::string> all;
    for (const auto& [name, b] : past_)
        if (now < b.until)
            all.push_back(name);
    return all;
}

void bursts::begin(const std::string& member, std::uint64_t generation, time_point now)
{
    std::erase_if(past_, [now](const auto& b) { return now >= b.second.until + longest_rest; });
    auto& b = past_[member];
    const bool taught = b.rest == b.rest.zero() || b.generation != generation;
    b = {now + length, taught ? first_rest : std::min(2 * b.rest, longest_rest), generation};
}

} // namespace rolegate::health
