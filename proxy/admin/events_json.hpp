// SPDX-License-Identifier: PostgreSQL
//
// Body of /api/v1/events: the last changes of the primary, newest first, each step with its
// milliseconds from the first one. Pure.
#pragma once

#include "proxy/process_view.hpp"

#include <string>

namespace rolegate::proxy::admin
{

[[nodiscard]] std::string events_json(const process_view& view);

} // namespace rolegate::proxy::admin
