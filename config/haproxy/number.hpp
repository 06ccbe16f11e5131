// SPDX-License-Identifier: PostgreSQL
//
// Numbers and times as haproxy.cfg has them. Pure.
#pragma once

#include "config/places.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace rolegate::config::haproxy
{

// Digits alone, at most 2^31 - 1.
[[nodiscard]] std::optional<std::size_t> parse_number(std::string_view text);

// Digits and us, ms, s, m, h or d; a bare number is milliseconds. Microseconds are rounded up. At
// most 2^31 - 1 ms, as in HAProxy.
[[nodiscard]] std::optional<milliseconds> parse_time(std::string_view text);

} // namespace rolegate::config::haproxy
