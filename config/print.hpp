// SPDX-License-Identifier: PostgreSQL
//
// The effective configuration as YAML, every default filled in; load_text() reads it back to an
// equal value. Secrets are never printed (there are none yet but paths).
#pragma once

#include "config/settings.hpp"

#include <string>

namespace rolegate::config
{

[[nodiscard]] std::string print(const settings& s);

} // namespace rolegate::config
