// SPDX-License-Identifier: PostgreSQL
//
// The process in one line, for `systemctl status`. Pure.
#pragma once

#include "health/topology.hpp"

#include <string>
#include <vector>

namespace rolegate::proxy
{

// "1 cluster, primary pg-1, 120 sessions"; "3 clusters, 2 with a primary, shop: not seen yet, 7
// sessions, stopping". However many clusters there are, it is a line.
[[nodiscard]] std::string service_status(
    const std::vector<health::topology_ptr>& clusters,
    std::size_t sessions,
    bool stopping,
    health::time_point now
);

} // namespace rolegate::proxy
