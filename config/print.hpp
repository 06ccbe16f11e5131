// SPDX-License-Identifier: PostgreSQL
//
// The effective configuration as YAML, every default filled in; load_text() reads it back to an
// equal value, but for secrets: those are shown as ***** and never printed.
#pragma once

#include "config/settings.hpp"

#include <string>

namespace rolegate::config
{

[[nodiscard]] std::string print(const settings& s);

} // namespace rolegate::config
