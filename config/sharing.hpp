// SPDX-License-Identifier: PostgreSQL
//
// Listeners that share one bind: the first whose `match` fits a client takes it. Pure.
#pragma once

#include "config/fit.hpp"
#include "config/settings.hpp"

#include <cstddef>
#include <vector>

namespace rolegate::config
{

// Indexes of listeners in the order of the configuration, groups in that of their first ones.
// Several are in one group when they have the same `bind` and any of them has `match`.
using listener_groups = std::vector<std::vector<std::size_t>>;

[[nodiscard]] listener_groups groups_of(const std::vector<listener_settings>& listeners);

// Who is never reached, and what those that share a bind must have in common: all that counts
// before a client has said whom it wants.
void check_sharing(const settings& s, findings& out);

} // namespace rolegate::config
