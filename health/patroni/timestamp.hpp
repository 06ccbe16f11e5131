// SPDX-License-Identifier: PostgreSQL
//
// Times as Patroni writes them. Pure; safe on hostile input.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace rolegate::health::patroni
{

using timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

// "2024-08-28 19:39:26.352526+00:00" (Patroni 2.1 and later), "2019-08-28 19:39:26.352 UTC"
// (before). nullopt: something else, or a zone that only has a name.
[[nodiscard]] std::optional<timestamp> parse_timestamp(std::string_view text);

} // namespace rolegate::health::patroni
