// SPDX-License-Identifier: PostgreSQL
//
// /api/v1/sessions: what is asked for, and the answer. Pure.
#pragma once

#include "proxy/admin/routes.hpp"
#include "proxy/session_list.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace rolegate::proxy::admin
{

// GET /api/v1/sessions?listener=NAME&member=NAME&limit=N; nullopt: another path. A response: what
// is wrong with it.
[[nodiscard]] std::optional<std::variant<session_query, response>>
find_session_query(std::string_view method, std::string_view target);

[[nodiscard]] response sessions_answer(const session_list& list);

} // namespace rolegate::proxy::admin
