// SPDX-License-Identifier: PostgreSQL
//
// How many good or bad checks in a row change a mind, and how long to wait for the next one:
// exactly as HAProxy counts (2.6: set_server_check_status, srv_getinter). Pure.
//
//   check_count c(settings);        up by the benefit of the doubt: one bad check takes it down
//   c.good() / c.bad()              for each check
//   c.is_up(), c.pause(), c.text()  what follows
//   c.reason(error)                 the same for people
//
// HAProxy sends clients to a server that has never been checked; whoever uses this should ask
// is_known() as well.
#pragma once

#include "config/settings.hpp"

#include <chrono>
#include <string>

namespace rolegate::health
{

class check_count
{
public:
    explicit check_count(const config::check_settings& settings) noexcept;

    void good() noexcept;
    void bad() noexcept;

    [[nodiscard]] bool is_up() const noexcept { return health_ >= rise_; }

    // It has been checked at least once.
    [[nodiscard]] bool is_known() const noexcept { return known_; }

    // From the end of the last check to the next.
    [[nodiscard]] std::chrono::milliseconds pause() const noexcept;

    // HAProxy's words for its status: "UP", "UP 1/3" (going down), "DOWN", "DOWN 1/2" (going up).
    [[nodiscard]] std::string text() const;

    // "3 of 3 checks failed: ERROR"; `error` is what was wrong with the last one.
    [[nodiscard]] std::string reason(const std::string& error) const;

private:
    // HAProxy's `health`: 0 is down, [1, rise) going up, [rise, highest) going down, highest up.
    [[nodiscard]] unsigned highest() const noexcept { return rise_ + fall_ - 1; }
    void note(bool was_good) noexcept;

    unsigned rise_;
    unsigned fall_;
    std::chrono::milliseconds inter_;
    std::chrono::milliseconds fastinter_;
    std::chrono::milliseconds downinter_;
    unsigned health_;
    unsigned row_ = 0; // checks that were alike, up to the most that anybody asks for
    bool last_good_ = true;
    bool known_ = false;
};

} // namespace rolegate::health
