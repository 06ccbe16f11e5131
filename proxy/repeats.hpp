// SPDX-License-Identifier: PostgreSQL
//
// What is said again and again is said a few times, and then how often it was kept back. Pure: the
// time is passed in. Not thread-safe.
#pragma once

#include "config/settings.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::proxy
{

class repeats
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    // So many different things are kept apart; more are kept back as one.
    static constexpr std::size_t most_kept = 1000;

    struct kept_back
    {
        std::string what;
        config::log_level level;
        std::size_t count;
    };

    // Counting begins anew after `length`.
    explicit repeats(std::chrono::milliseconds length) noexcept : window_(length) {}

    // Unset: this one is kept back, since `at_most` have been said. Else say it, and that so many
    // were kept back before.
    [[nodiscard]] std::optional<std::size_t>
    note(std::string_view what, config::log_level level, unsigned at_most, time_point now);

    // Of what nothing has been said since its window ended: what was kept back.
    [[nodiscard]] std::vector<kept_back> ended(time_point now);

    // Everything that has been kept back; nothing is remembered any more.
    [[nodiscard]] std::vector<kept_back> all();

private:
    struct window
    {
        config::log_level level;
        time_point began;
        unsigned said = 0;
        std::size_t kept_back = 0;
    };

    std::chrono::milliseconds window_;
    std::map<std::string, window, std::less<>> known_;
    std::string rest_; // for what finds no room
};

} // namespace rolegate::proxy
