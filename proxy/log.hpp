// SPDX-License-Identifier: PostgreSQL
//
// One line an event: `time level event=NAME key=value ...` to stderr, or a JSON object. Any thread,
// and none of them waits for whoever reads stderr. What each event means: deploy/events.md.
#pragma once

#include "config/settings.hpp"
#include "proxy/log_record.hpp"

#include <cstdint>
#include <exception>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace rolegate::proxy::log
{

// From now on lines are written by a thread of the log's own; before, at once. Called again, it
// changes what is wanted.
void init(
    config::log_level level,
    config::log_format format = config::log_format::text,
    config::session_log sessions = config::session_log::all
);

// Waits until what has been said is written, a second at most: at the end of the process.
void flush();

// However a scope ends, what was said last is written.
struct last_lines
{
    last_lines() = default;
    last_lines(const last_lines&) = delete;
    last_lines& operator=(const last_lines&) = delete;
    ~last_lines() { flush(); }
};

// Lines that found no room, since the process began.
[[nodiscard]] std::uint64_t dropped();

// Whether the end of a session is to be told. `well`: both sides have ended it as they should.
[[nodiscard]] bool wants_session_end(bool well);

// Client- and cluster-supplied text for add(): quoted where it needs it, control characters
// escaped, cut at 64 bytes. line::name() is better: it knows the format.
[[nodiscard]] std::string quoted(std::string_view text, std::size_t limit = record::short_text);

// log::line(log_level::info, "session_end").add("id", 7).name("member", name); written when it goes
// out of scope.
class line
{
public:
    using fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    line(config::log_level level, std::string_view event);
    ~line();
    line(const line&) = delete;
    line& operator=(const line&) = delete;

    // False: nobody will see it, and what it would say need not be put into words.
    [[nodiscard]] explicit operator bool() const noexcept { return wanted_; }

    line& add(std::string_view key, std::string_view value); // a word that needs no quotes
    line& add(std::string_view key, std::int64_t value);
    line& name(std::string_view key, std::string_view value); // quoted, up to 64 bytes; "" is "-"
    line& text(std::string_view key, std::string_view value); // quoted, up to 512 bytes

    // At most so many lines of this event with these fields in ten seconds; the rest is counted,
    // and told as `repeated`.
    line& limit(unsigned at_most, fields alike);

private:
    config::log_level level_;
    bool wanted_;
    std::string_view event_;
    record record_;
};

// Nothing that should be thrown is; what is caught all the same is our bug, or lack of memory.
void internal_error(const std::exception_ptr& e);

} // namespace rolegate::proxy::log
