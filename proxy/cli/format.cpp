// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/format.hpp"

#include <algorithm>
#include <array>

namespace rolegate::proxy::cli
{

namespace
{

constexpr std::string_view gap = "  ";

// Characters, not bytes: all but UTF-8's continuation bytes.
std::size_t width(std::string_view text)
{
    const auto n = std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }
    );
    return static_cast<std::size_t>(n);
}

void append_hex(std::string& out, unsigned char c)
{
    constexpr std::string_view digits = "0123456789abcdef";
    out += "\\x";
    out += digits[c >> 4U];
    out += digits[c & 0x0fU];
}

std::string
two_parts(std::int64_t big, const char* unit, std::int64_t small, const char* small_unit)
{
    auto text = std::to_string(big) + " " + unit;
    if (small > 0)
        text += " " + std::to_string(small) + " " + small_unit;
    return text;
}

} // namespace

std::string printable(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        const auto c = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
        if (c < 0x20 || c == 0x7f)
            append_hex(out, c);
        else if (c == 0xc2 && next >= 0x80 && next < 0xa0) // U+0080..U+009F: controls, too
        {
            append_hex(out, static_cast<unsigned char>(next));
            ++i;
        }
        else
            out += text[i];
    }
    return out;
}

std::string duration_text(std::int64_t ms)
{
    constexpr std::int64_t second = 1000;
    constexpr std::int64_t minute = 60 * second;
    constexpr std::int64_t hour = 60 * minute;
    constexpr std::int64_t day = 24 * hour;
    if (ms < second)
        return std::to_string(ms) + " ms";
    if (ms < minute)
        return std::to_string(ms / second) + "." + std::to_string(ms % second / 100) + " s";
    if (ms < hour)
        return two_parts(ms / minute, "min", ms % minute / second, "s");
    if (ms < day)
        return two_parts(ms / hour, "h", ms % hour / minute, "min");
    return two_parts(ms / day, "d", ms % day / hour, "h");
}

std::string size_text(std::int64_t bytes)
{
    constexpr std::array<const char*, 5> units{"bytes", "kB", "MB", "GB", "TB"};
    std::size_t unit = 0;
    for (; bytes >= 10 * 1024 && unit + 1 < units.size(); ++unit)
        bytes = (bytes + 512) / 1024;
    return std::to_string(bytes) + " " + units[unit];
}

std::string right_aligned(const std::string& text, std::size_t characters)
{
    const auto n = width(text);
    return n < characters ? std::string(characters - n, ' ') + text : text;
}

std::string columns(const std::vector<row>& rows)
{
    std::vector<std::size_t> widths;
    for (const auto& r : rows)
        for (std::size_t i = 0; i < r.size(); ++i)
        {
            if (i == widths.size())
                widths.push_back(0);
            widths[i] = std::max(widths[i], width(r[i]));
        }

    std::string out;
    for (const auto& r : rows)
    {
        std::string line;
        for (std::size_t i = 0; i < r.size(); ++i)
        {
            line += r[i];
            line.append(widths[i] - width(r[i]), ' ');
            line += gap;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    return out;
}

} // namespace rolegate::proxy::cli
