// SPDX-License-Identifier: PostgreSQL
//
// Asks the system (/etc/hosts, DNS, whatever nsswitch.conf says) where a name is.
#pragma once

#include "health/address.hpp"

#include <string>

namespace rolegate::health
{

// IPv6 and IPv4 in the system's order (RFC 6724); empty: there is none, or nobody could say. Blocks
// the thread, for tens of seconds where DNS servers are silent, and cannot be cancelled.
[[nodiscard]] address_list look_up(const std::string& host);

} // namespace rolegate::health
