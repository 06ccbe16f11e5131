// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/number.hpp"

#include "config/units.hpp"

#include <algorithm>
#include <charconv>
#include <string>

namespace rolegate::config::haproxy
{
namespace
{

constexpr std::size_t largest = 2147483647;

} // namespace

std::optional<std::size_t> parse_number(std::string_view text)
{
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    std::size_t value = 0;
    if (text.empty() || !std::ranges::all_of(text, digit))
        return std::nullopt;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc() || value > largest)
        return std::nullopt;
    return value;
}

std::optional<milliseconds> parse_time(std::string_view text)
{
    if (const auto bare = parse_number(text))
        return milliseconds(static_cast<std::int64_t>(*bare));
    if (text.ends_with("us"))
    {
        const auto us = parse_number(text.substr(0, text.size() - 2));
        if (!us)
            return std::nullopt;
        return milliseconds(static_cast<std::int64_t>((*us + 999) / 1000));
    }
    if (text.ends_with("min")) // PostgreSQL's
        return std::nullopt;
    return parse_duration(text);
}

} // namespace rolegate::config::haproxy
