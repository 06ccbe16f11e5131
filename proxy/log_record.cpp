// SPDX-License-Identifier: PostgreSQL
#include "proxy/log_record.hpp"

#include "proxy/log_text.hpp"

#include <utility>

namespace rolegate::proxy::log
{

namespace
{

const char* name_of(config::log_level level)
{
    switch (level)
    {
    case config::log_level::debug:
        return "debug";
    case config::log_level::warning:
        return "warning";
    case config::log_level::error:
        return "error";
    case config::log_level::info:
        break;
    }
    return "info";
}

// syslog(3), sd-daemon(3).
char priority_of(config::log_level level)
{
    switch (level)
    {
    case config::log_level::debug:
        return '7';
    case config::log_level::warning:
        return '4';
    case config::log_level::error:
        return '3';
    case config::log_level::info:
        break;
    }
    return '6';
}

constexpr auto unlimited = std::string_view::npos;

} // namespace

record::record(form f, config::log_level level, std::string_view time) : form_(f)
{
    line_.reserve(256); // of a session_end; one allocation
    switch (f)
    {
    case form::text:
        ((line_ += time) += ' ') += name_of(level);
        break;
    case form::journal:
        (((line_ += '<') += priority_of(level)) += '>') += name_of(level);
        break;
    case form::json:
        (((line_ += R"({"time":")") += time) += R"(","level":")") += name_of(level);
        line_ += '"';
        break;
    }
    body_ = line_.size();
}

record::record(form f, config::log_level level, std::string_view time, std::string_view event)
    : record(f, level, time)
{
    word("event", event);
}

record record::again(form f, config::log_level level, std::string_view time, std::string_view body)
{
    record r(f, level, time);
    r.line_ += body;
    return r;
}

void record::key(std::string_view name)
{
    if (form_ == form::json)
        ((line_ += ",\"") += name) += "\":";
    else
        ((line_ += ' ') += name) += '=';
}

void record::word(std::string_view name, std::string_view value)
{
    key(name);
    if (form_ != form::json)
        line_ += value.empty() ? "-" : value;
    else if (value.empty())
        line_ += "null";
    else
        append_json(line_, value, unlimited);
}

void record::number(std::string_view name, std::int64_t value)
{
    key(name);
    line_ += std::to_string(value);
}

void record::text(std::string_view name, std::string_view value, std::size_t limit)
{
    key(name);
    if (form_ == form::json)
        append_json(line_, value, limit);
    else
        append_quoted(line_, value, limit);
}

std::string_view record::body() const noexcept
{
    return std::string_view(line_).substr(body_);
}

std::string record::take() &&
{
    line_ += form_ == form::json ? "}\n" : "\n";
    return std::move(line_);
}

} // namespace rolegate::proxy::log
