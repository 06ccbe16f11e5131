// SPDX-License-Identifier: PostgreSQL
//
// A cluster with two listeners, as most have them: one for writes, one for reads.
#pragma once

#include "health/demands.hpp"
#include "proxy/route.hpp"

namespace rolegate::support
{

inline constexpr proxy::destination write_port{config::listener_role::primary, 0};
inline constexpr proxy::destination read_port{config::listener_role::replica, 1};

[[nodiscard]] inline health::demand
demand_of(config::listener_role role, const std::string& listener = "port")
{
    health::demand d;
    d.listener = listener;
    d.wants.role = role;
    return d;
}

[[nodiscard]] inline std::vector<health::demand> write_and_read()
{
    return {demand_of(write_port.role, "write"), demand_of(read_port.role, "read")};
}

} // namespace rolegate::support
