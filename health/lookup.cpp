// SPDX-License-Identifier: PostgreSQL
#include "health/lookup.hpp"

#include <array>
#include <memory>
#include <netdb.h>
#include <sys/socket.h>

namespace rolegate::health
{

address_list look_up(const std::string& host)
{
    ::addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM; // else each address comes once for every kind of socket
    ::addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), nullptr, &wanted, &found) != 0)
        return {};
    const std::unique_ptr<::addrinfo, decltype(&::freeaddrinfo)> all(found, ::freeaddrinfo);
    address_list answer;
    std::array<char, NI_MAXHOST> text;
    for (const auto* a = found; a != nullptr; a = a->ai_next)
        if (::getnameinfo(
                a->ai_addr, a->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST
            ) == 0)
            answer.emplace_back(text.data());
    return answer;
}

} // namespace rolegate::health
