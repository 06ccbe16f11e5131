// SPDX-License-Identifier: PostgreSQL
//
// Where to listen and to connect, and who may come.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace rolegate::config
{

using milliseconds = std::chrono::milliseconds;

// A place to listen or to connect to. `host` is a name, an IPv4 address, an IPv6 address without
// brackets, "*" (listeners only: every IPv4 address), or the absolute path of a unix socket; the
// port of the latter is 0.
struct host_port
{
    std::string host;
    std::uint16_t port = 0;

    [[nodiscard]] bool is_unix() const noexcept { return host.starts_with('/'); }

    friend bool operator==(const host_port&, const host_port&) = default;
};

// What is reached elsewhere than it says of itself: by "HOST:PORT" or "HOST" as it calls itself (an
// IPv6 HOST in brackets only before a port). A target whose port is 0 keeps the port; a unix
// socket's is its directory, and the port a part of its name.
using address_map = std::map<std::string, host_port>;

// A range of addresses in CIDR notation; `address` is numeric, and bits behind `prefix` are 0.
struct network
{
    std::string address; // "10.0.0.0", "fd00::", or "unix" for every unix socket
    unsigned prefix = 0; // 0..32, 0..128

    friend bool operator==(const network&, const network&) = default;
};

} // namespace rolegate::config
