// SPDX-License-Identifier: PostgreSQL
//
// Where members are: the addresses of a host name, and what is reached elsewhere than it says.
// Pure.
#pragma once

#include "config/places.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace rolegate::health
{

struct cluster_listing;

// Numeric, the one to try first in front; never empty where it stands for a name that is known.
using address_list = std::vector<std::string>;

// A name of more addresses than this leads to a crowd; some of it will do.
inline constexpr std::size_t max_addresses = 16;

// `known` in the light of a newer answer: what is still valid keeps its place (resolvers shuffle),
// what is new comes behind it.
[[nodiscard]] address_list merge_addresses(const address_list& known, const address_list& answer);

// "10.0.0.1:8008", "[fd00::1]:8008", "db-1:8008"
[[nodiscard]] std::string host_and_port(const std::string& host, std::uint16_t port);

// Where `said` is reached: by its host and port, else by its host, else where it says.
[[nodiscard]] config::host_port
translate(const config::address_map& map, const config::host_port& said);

// The same for every member's PostgreSQL, pooler and REST API.
void translate(const config::address_map& map, cluster_listing& listing);

// The poolers that listed members name, by member. They are remembered, for only the members' keys
// in the DCS name them; a member that is listed without one has none any more.
void take_poolers(
    const cluster_listing& listing, std::map<std::string, config::host_port>& poolers
);

} // namespace rolegate::health
