// SPDX-License-Identifier: PostgreSQL
//
// Body of GET /cluster (Patroni 1.6.1-4.1) to a listing. Pure; safe on hostile input.
#pragma once

#include "health/patroni/member_body.hpp"

namespace rolegate::health::patroni
{

// More members than this is not a cluster but an attack or another service's answer.
inline constexpr std::size_t max_members = 1000;

// A member without a name is left out; a body without "members" is an error.
[[nodiscard]] decoded<cluster_listing> decode_cluster(std::string_view body);

} // namespace rolegate::health::patroni
