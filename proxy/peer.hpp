// SPDX-License-Identifier: PostgreSQL
//
// Who has connected: what the kernel says, or a PROXY header from somebody who may send one.
#pragma once

#include "proxy/address_range.hpp"

#include <cstdint>
#include <string>

#include <sys/socket.h>

namespace rolegate::proxy
{

struct peer
{
    client_address address; // of a unix socket: no address
    std::uint16_t port = 0;

    // "10.1.2.3:5555", "[fd00::1]:5555", "unix"
    [[nodiscard]] std::string text() const;
};

// A family that is neither IP nor IPv6 counts as a unix socket.
[[nodiscard]] peer peer_from(const sockaddr* address) noexcept;

} // namespace rolegate::proxy
