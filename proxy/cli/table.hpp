// SPDX-License-Identifier: PostgreSQL
//
// The JSON of the admin API as text for a terminal. Pure. What an older or newer proxy does not
// say is shown as "-".
#pragma once

#include <string>

namespace rolegate::proxy::cli
{

// Of /api/v1/status. Throws std::exception when the text is no JSON.
[[nodiscard]] std::string status_table(const std::string& json_text);

// Of /api/v1/explain. Throws std::exception when the text is no JSON.
[[nodiscard]] std::string explain_text(const std::string& json_text);

// Of /api/v1/events, the newest change last. Throws std::exception when the text is no JSON.
[[nodiscard]] std::string events_text(const std::string& json_text);

} // namespace rolegate::proxy::cli
