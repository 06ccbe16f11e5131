// SPDX-License-Identifier: PostgreSQL
//
// Whether what a listener demands fits its role and the kind of its cluster. Pure.
#pragma once

#include "config/validate.hpp"

namespace rolegate::config
{

using findings = std::vector<finding>;

// Patroni ignores what does not fit the role; here somebody has taken one for the other.
void check_demand(const listener_settings& listener, findings& out);

// What the cluster's kind cannot tell or do.
void check_fit(const listener_settings& listener, const cluster_settings& cluster, findings& out);

} // namespace rolegate::config
