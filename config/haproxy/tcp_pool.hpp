// SPDX-License-Identifier: PostgreSQL
//
// Servers of which Patroni knows nothing, as a cluster of kind `tcp`. Pure.
#pragma once

#include "config/cluster_settings.hpp"
#include "config/haproxy/ledger.hpp"
#include "config/haproxy/proxy.hpp"

#include <optional>

namespace rolegate::config::haproxy
{

// Without a name. nullopt: refused.
[[nodiscard]] std::optional<cluster_settings> tcp_cluster(const proxy& back, ledger& book);

} // namespace rolegate::config::haproxy
