// SPDX-License-Identifier: PostgreSQL
#include "proxy/peer.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>

namespace rolegate::proxy
{

std::string peer::text() const
{
    char buffer[INET6_ADDRSTRLEN] = {};
    switch (address.family)
    {
    case client_family::v4:
        ::inet_ntop(AF_INET, address.bytes.data(), buffer, sizeof buffer);
        return buffer + (":" + std::to_string(port));
    case client_family::v6:
        ::inet_ntop(AF_INET6, address.bytes.data(), buffer, sizeof buffer);
        return "[" + std::string(buffer) + "]:" + std::to_string(port);
    case client_family::unix_socket:
        break;
    }
    return "unix";
}

peer peer_from(const sockaddr* address) noexcept
{
    peer p;
    if (address->sa_family == AF_INET)
    {
        sockaddr_in in{};
        std::memcpy(&in, address, sizeof in);
        p.address.family = client_family::v4;
        std::memcpy(p.address.bytes.data(), &in.sin_addr, sizeof in.sin_addr);
        p.port = ntohs(in.sin_port);
    }
    else if (address->sa_family == AF_INET6)
    {
        sockaddr_in6 in{};
        std::memcpy(&in, address, sizeof in);
        p.address.family = client_family::v6;
        std::memcpy(p.address.bytes.data(), &in.sin6_addr, sizeof in.sin6_addr);
        p.port = ntohs(in.sin6_port);
    }
    return p;
}

} // namespace rolegate::proxy
