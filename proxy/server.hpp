// SPDX-License-Identifier: PostgreSQL
//
// The running proxy: control thread, workers, monitors, listeners, admin HTTP, signals. The only
// file of proxy/ that knows both sides, beliefs and sessions.
#pragma once

#include "config/load.hpp"

#include <functional>

namespace rolegate::proxy
{

// Runs until SIGTERM, SIGINT or SIGQUIT; returns the exit code (1: a bind failed or another error
// at run time, said on stderr). `again` reads the settings anew, for a reload.
[[nodiscard]] int
run_server(const config::settings& settings, std::function<config::load_result()> again);

} // namespace rolegate::proxy
