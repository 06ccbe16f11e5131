// SPDX-License-Identifier: PostgreSQL
//
// `use_backend PRIMARY if { nbsrv(REPLICAS) lt 1 }`, the one condition that has a key here. Pure.
#pragma once

#include "config/haproxy/section.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace rolegate::config::haproxy
{

// Whether `rule` holds exactly while the backend `of` has no server that is up; of several lines
// `acl` only the one that it names counts.
[[nodiscard]] bool
means_nobody_left(const line& rule, const std::vector<const line*>& acls, std::string_view of);

} // namespace rolegate::config::haproxy
