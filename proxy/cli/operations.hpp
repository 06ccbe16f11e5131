// SPDX-License-Identifier: PostgreSQL
//
// What the admin API says of sessions and of orders, as text for a terminal. Pure; see table.hpp.
#pragma once

#include <string>

namespace rolegate::proxy::cli
{

// Of /api/v1/sessions, the oldest first. Throws std::exception when the text is no JSON.
[[nodiscard]] std::string sessions_table(const std::string& json_text);

// Of the answer to an order: "member main/pg-1: drain", "session 7: ended", and a line for each
// warning. Throws std::exception when the text is no JSON.
[[nodiscard]] std::string order_text(const std::string& json_text);

} // namespace rolegate::proxy::cli
