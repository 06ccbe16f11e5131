// SPDX-License-Identifier: PostgreSQL
//
// One line an event: `time level event=NAME key=value ...` to stderr. Any thread. The only room
// that knows spdlog.
#pragma once

#include "config/settings.hpp"

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

namespace rolegate::proxy::log
{

void init(config::log_level level);
void set_level(config::log_level level); // from now on; any thread

// Client- and cluster-supplied text: quoted where it needs it, control characters escaped, cut at
// 64 bytes.
[[nodiscard]] std::string quoted(std::string_view text, std::size_t limit = 64);

// log::line(log_level::info, "session_end").add("id", 7).add("member", name); written when it goes
// out of scope.
class line
{
public:
    line(config::log_level level, std::string_view event);
    ~line();
    line(const line&) = delete;
    line& operator=(const line&) = delete;

    // False: nobody will see it, and what it would say need not be put into words.
    [[nodiscard]] explicit operator bool() const noexcept { return wanted_; }

    line& add(std::string_view key, std::string_view value); // a word that needs no quotes
    line& add(std::string_view key, std::int64_t value);
    line& text(std::string_view key, std::string_view value); // quoted, up to 512 bytes

private:
    config::log_level level_;
    bool wanted_;
    std::string text_;
};

// Nothing that should be thrown is; what is caught all the same is our bug, or lack of memory.
void internal_error(const std::exception_ptr& e);

} // namespace rolegate::proxy::log
