// SPDX-License-Identifier: PostgreSQL
//
// The Authorization header of HTTP Basic (RFC 7617). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rolegate::proxy::admin
{

struct credentials
{
    std::string user;
    std::string password;
};

// nullopt: it is of another kind, or none at all.
[[nodiscard]] std::optional<credentials> parse_basic(std::string_view authorization);

[[nodiscard]] std::string basic_header(const credentials& c);

} // namespace rolegate::proxy::admin
