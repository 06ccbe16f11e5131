// SPDX-License-Identifier: PostgreSQL
//
// Who may be read from. Pure.
#pragma once

#include "health/scene.hpp"

namespace rolegate::health
{

// The verdict on `m`; `now_believed` already knows the highest timeline of this decision.
[[nodiscard]] grant read_grant(const scene& s, const topology& now_believed, const member& m);

} // namespace rolegate::health
