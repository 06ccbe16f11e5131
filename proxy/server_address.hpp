// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <cstdint>
#include <string>

namespace rolegate::proxy
{

// Where a server is reached: a numeric address, as the topology has it.
struct server_address
{
    std::string address;
    std::uint16_t port = 0;

    friend bool operator==(const server_address&, const server_address&) = default;
};

} // namespace rolegate::proxy
