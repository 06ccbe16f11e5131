// SPDX-License-Identifier: PostgreSQL
//
// Addresses as people write them: "10.0.0.1:5432", "[::1]:5432", "*:5432", "db-1:8008",
// "unix:/run/postgresql:5432". Pure; no name is resolved here.
#pragma once

#include "config/settings.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace rolegate::config
{

struct parsed_address
{
    std::optional<host_port> value; // IP addresses in their canonical spelling
    std::string error;              // set when `value` is not
};

// Where to listen: an IP address or "*". No names: what a name leads to may change, and a proxy
// that starts on another address than yesterday is a riddle. Port 0: the kernel picks one.
// Or a unix socket: "unix:/PATH", or "unix:/DIRECTORY:PORT" with PostgreSQL's own name
// .s.PGSQL.PORT in that directory, where libpq looks for it.
[[nodiscard]] parsed_address parse_bind(std::string_view text);

// Whom to ask: a name or an IP address, port 1..65535.
[[nodiscard]] parsed_address parse_member(std::string_view text);

// The same for anything else that is asked; errors show `usual_port` as their example.
[[nodiscard]] parsed_address parse_host_port(std::string_view text, std::uint16_t usual_port);

// The form the parsers read back; IPv6 in brackets, a unix socket with its whole path.
[[nodiscard]] std::string format_address(const host_port& address);

enum class address_family
{
    ipv4,
    ipv6,
    local, // unix sockets
};

// Of a bind; "*" is IPv4. The families never collide, for listeners set IPV6_V6ONLY.
[[nodiscard]] address_family family_of(const host_port& bind);

// "*", "0.0.0.0" or "::".
[[nodiscard]] bool is_wildcard(const host_port& bind);

// Reached from this host alone: 127.0.0.0/8, "::1".
[[nodiscard]] bool is_loopback(const host_port& bind);

} // namespace rolegate::config
