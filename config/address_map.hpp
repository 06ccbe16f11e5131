// SPDX-License-Identifier: PostgreSQL
//
// Entries of an address_map as people write them. Pure.
#pragma once

#include "config/places.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace rolegate::config
{

struct parsed_place
{
    std::optional<host_port> value;
    std::string error; // set when `value` is not
};

// "HOST:PORT" or "HOST", IPv6 in brackets.
[[nodiscard]] parsed_place parse_said(std::string_view text);

// The same, "unix:/DIRECTORY" or "unix:/DIRECTORY:PORT".
[[nodiscard]] parsed_place parse_target(std::string_view text);

// What the latter reads.
[[nodiscard]] std::string format_target(const host_port& place);

// The key of a place in an address_map.
[[nodiscard]] std::string key_of(const host_port& said);

} // namespace rolegate::config
