// SPDX-License-Identifier: PostgreSQL
#include "proxy/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace rolegate::proxy::log
{

namespace
{

constexpr std::size_t long_text = 512;

spdlog::level::level_enum level_of(config::log_level level)
{
    switch (level)
    {
    case config::log_level::debug:
        return spdlog::level::debug;
    case config::log_level::warning:
        return spdlog::level::warn;
    case config::log_level::error:
        return spdlog::level::err;
    case config::log_level::info:
        break;
    }
    return spdlog::level::info;
}

bool plain(std::string_view text)
{
    constexpr std::string_view special = " \"'=\\";
    for (const char c : text)
        if (static_cast<unsigned char>(c) < 0x21 || c == 0x7f || special.find(c) != special.npos)
            return false;
    return !text.empty();
}

} // namespace

void init(config::log_level level)
{
    auto logger = spdlog::stderr_logger_mt("rolegate");
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    logger->set_level(level_of(level));
    spdlog::set_default_logger(std::move(logger));
}

void set_level(config::log_level level)
{
    spdlog::default_logger_raw()->set_level(level_of(level));
}

std::string quoted(std::string_view text, std::size_t limit)
{
    const bool cut = text.size() > limit;
    const auto shown = text.substr(0, limit);
    if (!cut && plain(shown))
        return std::string(shown);

    constexpr char hex[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : shown)
    {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            (out += '\\') += c;
        else if (byte < 0x20 || byte == 0x7f)
            ((out += "\\x") += hex[byte >> 4]) += hex[byte & 15];
        else
            out += c;
    }
    return out + (cut ? "...\"" : "\"");
}

line::line(config::log_level level, std::string_view event)
    : level_(level), wanted_(spdlog::should_log(level_of(level)))
{
    if (wanted_)
        (text_ = "event=") += event;
}

line::~line()
{
    if (wanted_)
        spdlog::default_logger_raw()->log(level_of(level_), text_);
}

line& line::add(std::string_view key, std::string_view value)
{
    if (wanted_)
        (((text_ += ' ') += key) += '=') += value.empty() ? "-" : value;
    return *this;
}

line& line::add(std::string_view key, std::int64_t value)
{
    return wanted_ ? add(key, std::to_string(value)) : *this;
}

line& line::text(std::string_view key, std::string_view value)
{
    return wanted_ ? add(key, quoted(value, long_text)) : *this;
}

void internal_error(const std::exception_ptr& e)
{
    line said(config::log_level::error, "internal_error");
    try
    {
        std::rethrow_exception(e);
    }
    catch (const std::exception& x)
    {
        said.text("error", x.what());
    }
    catch (...)
    {
        said.text("error", "unknown");
    }
}

} // namespace rolegate::proxy::log
