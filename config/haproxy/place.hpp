// SPDX-License-Identifier: PostgreSQL
//
// Addresses as haproxy.cfg has them, as places of ours. Pure.
#pragma once

#include "config/places.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::config::haproxy
{

struct bind_places
{
    std::vector<host_port> value;
    std::string error; // set: at least one of them is nothing that we can listen on
};

// "*:5000", ":5000", "10.0.0.1:5000-5003", ":::5000", "/run/x.sock", "unix@/run/x.sock", and
// several of them with commas.
[[nodiscard]] bind_places parse_binds(std::string_view text);

struct server_place
{
    std::string host;
    std::optional<std::uint16_t> port; // unset: that which the client came to, or near it
    std::string error;
};

[[nodiscard]] server_place parse_server(std::string_view text);

} // namespace rolegate::config::haproxy
