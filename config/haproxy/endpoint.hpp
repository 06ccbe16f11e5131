// SPDX-License-Identifier: PostgreSQL
//
// The path of a check as one of Patroni's endpoints, and that as a listener's demand. Pure.
#pragma once

#include "config/demand_settings.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::config::haproxy
{

struct endpoint
{
    member_demand demand;
    bool distinct = true;           // false: others have such a path as well ("/", "/health")
    std::vector<std::string> notes; // what is not quite the same
    std::vector<std::string> refused;
};

// nullopt: Patroni has no such endpoint.
[[nodiscard]] std::optional<endpoint> endpoint_of(std::string_view uri);

} // namespace rolegate::config::haproxy
