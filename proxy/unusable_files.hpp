// SPDX-License-Identifier: PostgreSQL
//
// What only a look at the files of a configuration shows.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <vector>

namespace rolegate::proxy
{

// Certificates, keys and authorities that run_server() could not use: a message for each.
[[nodiscard]] std::vector<std::string> unusable_files(const config::settings& settings);

} // namespace rolegate::proxy
