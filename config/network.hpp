// SPDX-License-Identifier: PostgreSQL
//
// Ranges of addresses as people write them: "10.0.0.0/8", "fd00::/8", "10.0.0.1", "unix". Pure.
#pragma once

#include "config/places.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace rolegate::config
{

struct parsed_network
{
    std::optional<network> value; // the address in its canonical spelling
    std::string error;            // set when `value` is not
};

// CIDR notation, an address alone (which is a network of one), or "unix". Bits behind the prefix
// are refused: 10.0.0.1/8 is either a typo of the address or one of the prefix.
[[nodiscard]] parsed_network parse_network(std::string_view text);

// The form parse_network() reads back, always with its prefix.
[[nodiscard]] std::string format_network(const network& net);

} // namespace rolegate::config
