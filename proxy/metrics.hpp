// SPDX-License-Identifier: PostgreSQL
//
// The Prometheus text of one moment, computed from a process_view, so that gauges cannot disagree
// with routing. The only room that knows prometheus-cpp.
#pragma once

#include "proxy/process_view.hpp"

#include <string>

namespace rolegate::proxy
{

[[nodiscard]] std::string metrics_text(const process_view& view);

} // namespace rolegate::proxy
