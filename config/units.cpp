// SPDX-License-Identifier: PostgreSQL
#include "config/units.hpp"

#include <array>
#include <charconv>
#include <limits>

namespace rolegate::config
{
namespace
{

struct unit
{
    std::string_view name;
    std::int64_t factor;
};

// In milliseconds, longest first: format_duration takes the first that divides. "min" is how
// PostgreSQL spells minutes, "m" how everybody else does; both are read, "m" is written.
constexpr std::array<unit, 6> duration_units{{
    {"d", 86'400'000},
    {"h", 3'600'000},
    {"m", 60'000},
    {"min", 60'000},
    {"s", 1'000},
    {"ms", 1},
}};

constexpr std::array<unit, 6> size_units{{
    {"TB", std::int64_t{1} << 40},
    {"GB", std::int64_t{1} << 30},
    {"MB", std::int64_t{1} << 20},
    {"kB", std::int64_t{1} << 10},
    {"B", 1},
    {"", 1},
}};

// `value` in the largest unit that divides it; the units go from large to small.
template <class Units> std::string format_quantity(std::int64_t value, const Units& units)
{
    for (const unit& u : units)
        if (value % u.factor == 0)
            return std::to_string(value / u.factor).append(u.name);
    return std::to_string(value).append(units.back().name);
}

// Digits, then exactly one of the units; nullopt also when the product is larger than `limit`.
template <std::size_t N>
std::optional<std::int64_t>
parse_quantity(std::string_view text, const std::array<unit, N>& units, std::int64_t limit)
{
    // from_chars reads "-1"; a sign is never legal here.
    if (text.empty() || text.front() < '0' || text.front() > '9')
        return std::nullopt;
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, ec] = std::from_chars(text.data(), end, number);
    if (ec != std::errc())
        return std::nullopt;

    const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
    for (const unit& u : units)
    {
        if (u.name != suffix)
            continue;
        if (number > limit / u.factor)
            return std::nullopt;
        return number * u.factor;
    }
    return std::nullopt;
}

} // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text)
{
    if (text == "0")
        return std::chrono::milliseconds(0);
    // 32 bits of milliseconds (24 days), because socket options and poll() take no more.
    const auto ms = parse_quantity(text, duration_units, std::numeric_limits<std::int32_t>::max());
    if (!ms)
        return std::nullopt;
    return std::chrono::milliseconds(*ms);
}

std::optional<std::int64_t> parse_size(std::string_view text)
{
    return parse_quantity(text, size_units, std::numeric_limits<std::int64_t>::max());
}

std::string format_duration(std::chrono::milliseconds value)
{
    const std::int64_t ms = value.count();
    if (ms == 0)
        return "0";
    return format_quantity(ms, duration_units);
}

std::string format_size(std::int64_t bytes)
{
    return format_quantity(bytes, size_units);
}

} // namespace rolegate::config
