// SPDX-License-Identifier: PostgreSQL
//
// What the admin API says of the configuration and of attempts to change it. Pure.
#pragma once

#include "proxy/reload_report.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

namespace rolegate::proxy::admin
{

// {"changes": [...], "needs_restart": [...]}, or {"error": text, "problems": [...]}.
[[nodiscard]] std::string reload_json(const reload_report& r);

// {"loaded_at": time, "reload_ok": bool, "error": text or null}
[[nodiscard]] boost::json::object json_of(const config_state& c);

// {"yaml": text}
[[nodiscard]] std::string config_json(std::string_view yaml);

} // namespace rolegate::proxy::admin
