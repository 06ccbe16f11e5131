// SPDX-License-Identifier: PostgreSQL
//
// What `rolegate check` finds beside the text of a configuration.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <vector>

namespace rolegate::proxy
{

// Certificates, keys and authorities that run_server() could not use: a message for each.
[[nodiscard]] std::vector<std::string> unusable_files(const config::settings& settings);

} // namespace rolegate::proxy
