// SPDX-License-Identifier: PostgreSQL
//
// Metrics of the process: its configuration, its certificates, what it has of the machine.
#pragma once

#include "proxy/metric_family.hpp"
#include "proxy/process_view.hpp"

namespace rolegate::proxy
{

void add_process_metrics(families& out, const process_view& view);

} // namespace rolegate::proxy
