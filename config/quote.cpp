// SPDX-License-Identifier: PostgreSQL
#include "config/quote.hpp"

namespace rolegate::config
{

std::string quoted(std::string_view text)
{
    constexpr std::size_t limit = 64;
    std::string out = "'";
    for (const char c : text.substr(0, limit))
    {
        const auto byte = static_cast<unsigned char>(c);
        out += byte < 0x20 || byte == 0x7f ? '?' : c;
    }
    if (text.size() > limit)
        out += "...";
    return out += '\'';
}

} // namespace rolegate::config
