// SPDX-License-Identifier: PostgreSQL
//
// A port of [::1] at which nobody answers and nobody refuses, as where packets get lost.
#pragma once

#include <array>
#include <cstdint>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace rolegate::support
{

// On a machine without IPv6 connects there fail at once, and are as dead.
class silent_address
{
public:
    explicit silent_address(std::uint16_t port)
    {
        ::sockaddr_in6 at{};
        at.sin6_family = AF_INET6;
        at.sin6_port = htons(port);
        at.sin6_addr = in6addr_loopback;
        const auto* where = reinterpret_cast<const ::sockaddr*>(&at);
        for (auto& fd : sockets_)
            fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const int on = 1;
        ::setsockopt(sockets_[0], IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
        silent_ = ::bind(sockets_[0], where, sizeof at) == 0 && ::listen(sockets_[0], 0) == 0;
        // Nobody accepts, and the first of these fills the queue of those who wait for that.
        for (std::size_t i = 1; silent_ && i < sockets_.size(); ++i)
            static_cast<void>(::connect(sockets_[i], where, sizeof at));
    }

    ~silent_address()
    {
        for (const auto fd : sockets_)
            if (fd >= 0)
                ::close(fd);
    }
    silent_address(const silent_address&) = delete;
    silent_address& operator=(const silent_address&) = delete;

private:
    std::array<int, 3> sockets_{-1, -1, -1};
    bool silent_ = false;
};

} // namespace rolegate::support
