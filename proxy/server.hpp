// SPDX-License-Identifier: PostgreSQL
//
// The running proxy: control thread, workers, monitors, listeners, admin HTTP, signals. The only
// file of proxy/ that knows both sides, beliefs and sessions.
#pragma once

#include "config/load.hpp"

#include <functional>
#include <string>
#include <vector>

namespace rolegate::proxy
{

// Runs until SIGTERM, SIGINT or SIGQUIT; returns the exit code (1: a bind failed or another error
// at run time, said on stderr). `again` reads the settings anew, for a reload.
[[nodiscard]] int
run_server(const config::settings& settings, std::function<config::load_result()> again);

// Certificates, keys and authorities that run_server() could not use: a message for each.
[[nodiscard]] std::vector<std::string> unusable_files(const config::settings& settings);

} // namespace rolegate::proxy
