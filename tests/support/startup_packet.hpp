// SPDX-License-Identifier: PostgreSQL
//
// StartupMessages with any parameters.
#pragma once

#include "tests/support/bytes.hpp"

#include <string>

namespace rolegate::support
{

// "user=a,database=b" as a StartupMessage 3.0. A value may not have a comma or an equals sign.
[[nodiscard]] inline byte_vector startup_with(const std::string& parameters)
{
    std::string body;
    for (const char c : parameters)
        body += c == '=' || c == ',' ? '\0' : c;
    if (!body.empty())
        body += '\0';
    body += '\0';
    return int32(static_cast<std::uint32_t>(8 + body.size())) + hex("00030000") + bytes_of(body);
}

} // namespace rolegate::support
