// SPDX-License-Identifier: PostgreSQL
//
// Durations and sizes as people write them, in PostgreSQL's units. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rolegate::config
{

// "250ms", "2s", "30m", "1h", "1d"; a bare number is refused (is it seconds or milliseconds?),
// except "0". No fractions, no signs. nullopt: not a duration, or it does not fit 32 bits of ms.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

// "10MB", "64kB", "1GB", "512B" (powers of 1024, as PostgreSQL counts), or a bare number of bytes.
[[nodiscard]] std::optional<std::int64_t> parse_size(std::string_view text);

// The shortest form parse_duration reads back: 2000 ms -> "2s".
[[nodiscard]] std::string format_duration(std::chrono::milliseconds value);

// The shortest form parse_size reads back: 65536 -> "64kB".
[[nodiscard]] std::string format_size(std::int64_t bytes);

} // namespace rolegate::config
