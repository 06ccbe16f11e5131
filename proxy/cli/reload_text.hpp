// SPDX-License-Identifier: PostgreSQL
//
// What `rolegate reload` prints. Pure.
#pragma once

#include <string>

namespace rolegate::proxy::cli
{

// What changed, a line each, and what waits for a restart.
[[nodiscard]] std::string reload_text(const std::string& json);

// Everything that was wrong, a line each.
[[nodiscard]] std::string problems_text(const std::string& json);

} // namespace rolegate::proxy::cli
