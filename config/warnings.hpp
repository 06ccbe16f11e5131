// SPDX-License-Identifier: PostgreSQL
//
// What is allowed, and seldom meant. Pure.
#pragma once

#include "config/validate.hpp"

#include <vector>

namespace rolegate::config
{

[[nodiscard]] std::vector<finding> warnings(const settings& s);

} // namespace rolegate::config
