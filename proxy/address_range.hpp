// SPDX-License-Identifier: PostgreSQL
//
// Is a client within a range of addresses? Asked for every accepted connection, so an address is
// bytes here, not text.
//
// Pure.
#pragma once

#include "config/places.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace rolegate::proxy
{

enum class client_family : std::uint8_t
{
    v4,
    v6,
    unix_socket, // has no address: the bytes are not looked at
};

// In network byte order, as in sockaddr_in and sockaddr_in6; of IPv4 the first four bytes.
struct client_address
{
    std::array<std::uint8_t, 16> bytes{};
    client_family family = client_family::unix_socket;

    friend bool operator==(const client_address&, const client_address&) = default;
};

// "10.1.2.3", "fd00::1", "fe80::1%eth0" (the zone is dropped), or "unix". An IPv4 address within
// IPv6 (::ffff:10.1.2.3) comes out as IPv4.
[[nodiscard]] std::optional<client_address> parse_client_address(std::string_view text);

class address_range
{
public:
    // A network that is none (no address, or a prefix longer than one) contains nobody: a mistake
    // must not let everybody in.
    explicit address_range(const config::network& network);

    // ::ffff:10.1.2.3 is 10.1.2.3. IPv4 and IPv6 are apart: ::/0 contains no IPv4 address.
    [[nodiscard]] bool contains(const client_address& client) const noexcept;

private:
    client_address first_;
    unsigned prefix_ = 0; // bits
    bool empty_ = false;
};

[[nodiscard]] bool
any_contains(std::span<const address_range> ranges, const client_address& client) noexcept;

} // namespace rolegate::proxy
