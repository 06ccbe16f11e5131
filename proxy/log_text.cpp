// SPDX-License-Identifier: PostgreSQL
#include "proxy/log_text.hpp"

#include "config/utf8.hpp"

#include <algorithm>

namespace rolegate::proxy::log
{

namespace
{

constexpr char hex[] = "0123456789abcdef";

unsigned char byte_at(std::string_view text, std::size_t at)
{
    return static_cast<unsigned char>(text[at]);
}

bool is_control(unsigned char byte)
{
    return byte < 0x20 || byte == 0x7f;
}

// Not through the middle of a character.
std::string_view cut_to(std::string_view text, std::size_t limit)
{
    if (text.size() <= limit)
        return text;
    auto end = limit;
    // The lead byte is at most three back; further back there is no character to be cut.
    const auto earliest = limit - std::min<std::size_t>(limit, 3);
    while (end > earliest && (byte_at(text, end) & 0xc0) == 0x80)
        --end;
    const bool between = (byte_at(text, end) & 0xc0) != 0x80 && byte_at(text, end) >= 0xc0;
    return text.substr(0, between ? end : limit);
}

bool plain(std::string_view text)
{
    constexpr std::string_view special = " \"'=\\";
    while (!text.empty())
    {
        const auto n = config::utf8_length(text);
        if (n == 0 ||
            (n == 1 && (is_control(byte_at(text, 0)) || special.find(text[0]) != special.npos)) ||
            config::is_c1_control(text.substr(0, n)))
            return false;
        text.remove_prefix(n);
    }
    return true;
}

void append_hex(std::string& out, std::string_view mark, std::string_view bytes)
{
    for (std::size_t i = 0; i < bytes.size(); ++i)
        ((out += mark) += hex[byte_at(bytes, i) >> 4]) += hex[byte_at(bytes, i) & 15];
}

} // namespace

void append_quoted(std::string& out, std::string_view text, std::size_t limit)
{
    auto shown = cut_to(text, limit);
    const bool whole = shown.size() == text.size();
    if (whole && !shown.empty() && plain(shown))
    {
        out += shown;
        return;
    }
    out += '"';
    while (!shown.empty())
    {
        const auto n = config::utf8_length(shown);
        const auto character = shown.substr(0, std::max<std::size_t>(n, 1));
        if (n == 0 || is_control(byte_at(shown, 0)) || config::is_c1_control(character))
            append_hex(out, "\\x", character);
        else if (character == "\"" || character == "\\")
            (out += '\\') += character;
        else
            out += character;
        shown.remove_prefix(character.size());
    }
    out += whole ? "\"" : "...\"";
}

void append_json(std::string& out, std::string_view text, std::size_t limit)
{
    auto shown = cut_to(text, limit);
    const bool whole = shown.size() == text.size();
    out += '"';
    while (!shown.empty())
    {
        const auto n = config::utf8_length(shown);
        const auto character = shown.substr(0, std::max<std::size_t>(n, 1));
        if (n == 0)
            append_hex(out, "\\\\x", character);
        else if (config::is_c1_control(character))
            append_hex(out, "\\u00", character.substr(1));
        else if (is_control(byte_at(shown, 0)))
            append_hex(out, "\\u00", character);
        else if (character == "\"" || character == "\\")
            (out += '\\') += character;
        else
            out += character;
        shown.remove_prefix(character.size());
    }
    out += whole ? "\"" : "...\"";
}

} // namespace rolegate::proxy::log
