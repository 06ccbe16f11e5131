// SPDX-License-Identifier: PostgreSQL
//
// A time of day as people and their tools read it. Pure.
#pragma once

#include <chrono>
#include <string>

namespace rolegate::proxy::admin
{

// "2026-01-31T12:00:00.123Z"
[[nodiscard]] std::string iso8601(std::chrono::system_clock::time_point t);

} // namespace rolegate::proxy::admin
