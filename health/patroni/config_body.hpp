// SPDX-License-Identifier: PostgreSQL
//
// Body of GET /config: of the dynamic configuration only the ttl is wanted. Pure.
#pragma once

#include "health/patroni/member_body.hpp"

#include <chrono>

namespace rolegate::health::patroni
{

// ttl as a duration; an error when it is missing or not a positive number below a day.
[[nodiscard]] decoded<std::chrono::milliseconds> decode_ttl(std::string_view body);

} // namespace rolegate::health::patroni
