// SPDX-License-Identifier: PostgreSQL
//
// One line of the log as it is put together, in the form that is configured. Pure: the time comes
// in as text.
#pragma once

#include "config/settings.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace rolegate::proxy::log
{

enum class form
{
    text,    // TIME level event=NAME key=value ...
    journal, // <N>level event=NAME key=value ...: systemd's journal takes the time itself, and N as
             // the priority
    json,    // {"time":TIME,"level":level,"event":NAME,"key":value,...}
};

class record
{
public:
    static constexpr std::size_t short_text = 64; // a name that somebody else has chosen, bytes
    static constexpr std::size_t long_text = 512;

    // An empty one, to be assigned to.
    record() = default;
    record(form f, config::log_level level, std::string_view time, std::string_view event);

    // What was said before, said again: `body` is that of another record of this form.
    static record
    again(form f, config::log_level level, std::string_view time, std::string_view body);

    void word(std::string_view key, std::string_view value); // ours; "" is "-", or null
    void number(std::string_view key, std::int64_t value);
    void text(std::string_view key, std::string_view value, std::size_t limit = long_text);

    // The event and its fields, without what changes from line to line.
    [[nodiscard]] std::string_view body() const noexcept;

    // The whole line with its end.
    [[nodiscard]] std::string take() &&;

private:
    record(form f, config::log_level level, std::string_view time);
    void key(std::string_view name);

    form form_ = form::text;
    std::size_t body_ = 0; // where it begins
    std::string line_;
};

} // namespace rolegate::proxy::log
