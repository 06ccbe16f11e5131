// SPDX-License-Identifier: PostgreSQL
#include "config/utf8.hpp"

#include <algorithm>

namespace rolegate::config
{

namespace
{

unsigned char byte_at(std::string_view text, std::size_t at) noexcept
{
    return static_cast<unsigned char>(text[at]);
}

} // namespace

std::size_t utf8_length(std::string_view text) noexcept
{
    const auto first = byte_at(text, 0);
    if (first < 0x80)
        return 1;
    std::size_t length = 0;
    unsigned char least = 0x80; // of the second byte
    unsigned char most = 0xbf;
    if (first >= 0xc2 && first <= 0xdf)
        length = 2;
    else if (first >= 0xe0 && first <= 0xef)
    {
        length = 3;
        least = first == 0xe0 ? 0xa0 : least;
        most = first == 0xed ? 0x9f : most;
    }
    else if (first >= 0xf0 && first <= 0xf4)
    {
        length = 4;
        least = first == 0xf0 ? 0x90 : least;
        most = first == 0xf4 ? 0x8f : most;
    }
    if (length == 0 || text.size() < length || byte_at(text, 1) < least || byte_at(text, 1) > most)
        return 0;
    for (std::size_t i = 2; i < length; ++i)
        if ((byte_at(text, i) & 0xc0) != 0x80)
            return 0;
    return length;
}

bool is_c1_control(std::string_view character) noexcept
{
    return character.size() == 2 && byte_at(character, 0) == 0xc2 && byte_at(character, 1) < 0xa0;
}

std::string readable(std::string_view text, std::size_t limit)
{
    std::string out;
    while (!text.empty())
    {
        const auto length = utf8_length(text);
        const auto taken = std::max<std::size_t>(length, 1);
        if (out.size() + taken > limit)
            break;
        const auto character = text.substr(0, taken);
        const auto first = byte_at(character, 0);
        const bool control = first < 0x20 || first == 0x7f || is_c1_control(character);
        if (length == 0 || control)
            out += '?';
        else
            out += character;
        text.remove_prefix(taken);
    }
    return out;
}

} // namespace rolegate::config
