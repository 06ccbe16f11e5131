// SPDX-License-Identifier: PostgreSQL
//
// HAProxy 2.6's statistics as CSV, fields 0 to 102, so that what collects them goes on working: a
// FRONTEND, a row for each member and a BACKEND for each listener. Pure.
#pragma once

#include "proxy/process_view.hpp"

#include <string>

namespace rolegate::proxy::admin
{

[[nodiscard]] std::string haproxy_csv(const process_view& view);

} // namespace rolegate::proxy::admin
