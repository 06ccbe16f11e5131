// SPDX-License-Identifier: PostgreSQL
//
// When the certificates end that the operator's files hold.
#pragma once

#include "config/settings.hpp"

#include <chrono>
#include <map>
#include <string>

namespace rolegate::proxy
{

// By file. Of a chain the first to end, for it is as good as that; of those that are trusted the
// last, for where several are they take turns.
using certificate_ends = std::map<std::string, std::chrono::system_clock::time_point>;

// Of all files that the configuration names, as they are now; those that cannot be read are
// missing.
[[nodiscard]] certificate_ends read_certificate_ends(const config::settings& settings);

} // namespace rolegate::proxy
