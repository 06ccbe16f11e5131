// SPDX-License-Identifier: PostgreSQL
//
// The parameters of a StartupMessage: Int32 length, Int32 protocol, { String name, String value }*,
// Byte1 0. Protocol 3.x only, any minor version.
//
// Pure. Safe on hostile input: at most max_first_packet_size bytes are walked, once.
#pragma once

#include "proxy/pgwire/first_packet.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace rolegate::pgwire
{

// Exactly one whole StartupMessage of protocol 3.x, with its terminator as the last byte. Whether
// it names a user is the server's business.
[[nodiscard]] bool well_formed_startup(bytes packet) noexcept;

// The value, pointing into `packet`; of several with this name the last, as in the server. nullopt
// when there is none or the packet is not well-formed. Names are compared byte by byte, as the
// server does with those that are no settings: user, database, options, replication, _pq_.*
[[nodiscard]] std::optional<std::string_view>
startup_parameter(bytes packet, std::string_view name) noexcept;

// NAMEDATALEN - 1: what pg_stat_activity shows of an application_name.
inline constexpr std::size_t max_application_name_size = 63;

// The packet with the client's address behind its application_name: "app - 10.1.2.3:5555". A name
// that is missing or empty becomes "app", as with pgbouncer's application_name_add_host; one set
// within `options` is not looked for, and is overridden. The name is shortened, not the address,
// such that the server shows all of it. All else stays as it is, byte for byte.
//
// Not well-formed, or too long for the server with the address: returned as it came.
[[nodiscard]] std::vector<std::byte>
with_application_name_host(bytes packet, std::string_view client);

} // namespace rolegate::pgwire
