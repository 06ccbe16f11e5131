// SPDX-License-Identifier: PostgreSQL
//
// Servers whose check asks Patroni, as a cluster of kind `patroni`. Pure.
#pragma once

#include "config/cluster_settings.hpp"
#include "config/haproxy/endpoint.hpp"
#include "config/haproxy/ledger.hpp"
#include "config/haproxy/proxy.hpp"

#include <optional>
#include <set>
#include <string>

namespace rolegate::config::haproxy
{

// Without a name. nullopt: refused. `told` has the servers whose address something has been said
// of.
[[nodiscard]] std::optional<cluster_settings> patroni_cluster(
    const proxy& back, const endpoint& asked, std::set<std::string>& told, ledger& book
);

} // namespace rolegate::config::haproxy
