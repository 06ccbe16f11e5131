// SPDX-License-Identifier: PostgreSQL
//
// What every decoder of Patroni's bodies promises about the texts it hands on.
#pragma once

#include "tests/fuzz/require.hpp"

#include <initializer_list>
#include <string_view>

namespace rolegate::fuzz
{

inline void require_printable(std::initializer_list<std::string_view> texts) noexcept
{
    for (const auto text : texts)
    {
        require(text.size() <= 255);
        for (const char c : text)
            require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    }
}

} // namespace rolegate::fuzz
