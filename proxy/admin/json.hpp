// SPDX-License-Identifier: PostgreSQL
//
// Bodies of the admin API. /api/v1/status is a contract: keys may be added, never change. Pure.
#pragma once

#include "proxy/process_view.hpp"

#include <string>
#include <string_view>

namespace rolegate::proxy::admin
{

[[nodiscard]] std::string status_json(const process_view& view);

// Every verdict with its rule, reason and evidence; for one listener when `only` is not empty.
[[nodiscard]] std::string explain_json(const process_view& view, std::string_view only);

// {"error": text}
[[nodiscard]] std::string error_json(std::string_view text);

} // namespace rolegate::proxy::admin
