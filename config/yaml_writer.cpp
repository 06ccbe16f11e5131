// SPDX-License-Identifier: PostgreSQL
#include "config/yaml_writer.hpp"

#include "config/address.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

namespace rolegate::config
{
namespace
{

bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool may_be_bare(std::string_view text)
{
    constexpr std::array<std::string_view, 9> special{
        "null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    const auto plain = [](char c)
    { return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
    const auto same_word = [text](std::string_view word)
    {
        const auto fold = [](char c) { return static_cast<char>(is_letter(c) ? c | 0x20 : c); };
        return std::ranges::equal(text, word, {}, fold);
    };
    return !text.empty() && is_letter(text.front()) && std::ranges::all_of(text, plain) &&
           std::ranges::none_of(special, same_word);
}

std::string in_quotes_unexpanded(std::string_view text)
{
    constexpr std::string_view hex = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text)
    {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f)
        {
            out += "\\x";
            out += hex[byte >> 4];
            out += hex[byte & 0xf];
            continue;
        }
        if (c == '"' || c == '\\')
            out += '\\';
        out += c;
    }
    return out += '"';
}

} // namespace

std::string in_quotes(std::string_view text)
{
    std::string doubled;
    for (const char c : text)
        doubled.append(c == '$' ? 2 : 1, c);
    return in_quotes_unexpanded(doubled);
}

std::string as_text(std::string_view text)
{
    return may_be_bare(text) ? std::string(text) : in_quotes(text);
}

std::string as_key(std::string_view text)
{
    return may_be_bare(text) ? std::string(text) : in_quotes_unexpanded(text);
}

std::string as_list(const std::vector<std::string>& items)
{
    std::string out = "[";
    for (const std::string& item : items)
        out += (out.size() > 1 ? ", " : "") + in_quotes(item);
    return out + "]";
}

std::string as_list(const std::vector<host_port>& addresses)
{
    std::vector<std::string> items;
    std::ranges::transform(addresses, std::back_inserter(items), format_address);
    return as_list(items);
}

std::string as_bool(bool value)
{
    return value ? "true" : "false";
}

void yaml_writer::line(int level, std::string_view key, std::string_view value)
{
    out_.append(static_cast<std::size_t>(level) * 2, ' ').append(key).append(":");
    if (!value.empty())
        out_.append(" ").append(value);
    out_ += '\n';
}

void yaml_writer::comment(int level, std::string_view text)
{
    out_.append(static_cast<std::size_t>(level) * 2, ' ').append("# ").append(text) += '\n';
}

} // namespace rolegate::config
