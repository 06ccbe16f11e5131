// SPDX-License-Identifier: PostgreSQL
//
// Clients that do not come from 127.0.0.1: through a unix socket, or from another address of this
// machine.
#pragma once

#include "tests/support/client.hpp"

#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace rolegate::support
{

// A folder of the test's own, removed with all that is in it. Its path is short enough for sockets.
class own_folder
{
public:
    own_folder()
    {
        if (!::mkdtemp(path_.data()))
            throw std::system_error(errno, std::generic_category(), "mkdtemp");
    }
    ~own_folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    own_folder(const own_folder&) = delete;
    own_folder& operator=(const own_folder&) = delete;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_ = "/tmp/rolegate-test-XXXXXX";
};

namespace detail
{

// A socket after one call that has succeeded; throws std::system_error where it has not.
template <class Do> [[nodiscard]] int socket_that(int family, const char* what, Do act)
{
    const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && act(fd) == 0)
        return fd;
    const int error = errno;
    if (fd >= 0)
        ::close(fd);
    throw std::system_error(error, std::generic_category(), what);
}

[[nodiscard]] inline ::sockaddr_un file_address(const std::string& path)
{
    ::sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::strncpy(at.sun_path, path.c_str(), sizeof at.sun_path - 1);
    return at;
}

[[nodiscard]] inline ::sockaddr_in address_of(const std::string& host, std::uint16_t port)
{
    ::sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    ::inet_pton(AF_INET, host.c_str(), &at.sin_addr);
    return at;
}

template <class Address> [[nodiscard]] int bind_to(int fd, const Address& at)
{
    return ::bind(fd, reinterpret_cast<const ::sockaddr*>(&at), sizeof at);
}

template <class Address> [[nodiscard]] int connect_to(int fd, const Address& at)
{
    return ::connect(fd, reinterpret_cast<const ::sockaddr*>(&at), sizeof at);
}

} // namespace detail

// Listens at a path; a descriptor.
[[nodiscard]] inline int listening_at(const std::string& path)
{
    return detail::socket_that(
        AF_UNIX,
        "bind",
        [at = detail::file_address(path)](int fd)
        { return detail::bind_to(fd, at) == 0 ? ::listen(fd, 16) : -1; }
    );
}

class local_client : public stream
{
public:
    explicit local_client(const std::string& path)
        : stream(detail::socket_that(
              AF_UNIX,
              "connect",
              [at = detail::file_address(path)](int fd) { return detail::connect_to(fd, at); }
          ))
    {
    }
};

// From another address of the loopback network, e.g. "127.0.0.9".
class client_from : public stream
{
public:
    client_from(const std::string& source, std::uint16_t port)
        : stream(detail::socket_that(
              AF_INET,
              "connect",
              [from = detail::address_of(source, 0),
               to = detail::address_of("127.0.0.1", port)](int fd)
              { return detail::bind_to(fd, from) == 0 ? detail::connect_to(fd, to) : -1; }
          ))
    {
    }
};

// A TCP port of 127.0.0.1 that was free a moment ago.
[[nodiscard]] inline std::uint16_t free_port()
{
    ::sockaddr_in at = detail::address_of("127.0.0.1", 0);
    const int fd = detail::socket_that(
        AF_INET,
        "bind",
        [&](int s)
        {
            ::socklen_t size = sizeof at;
            if (detail::bind_to(s, at) != 0)
                return -1;
            return ::getsockname(s, reinterpret_cast<::sockaddr*>(&at), &size);
        }
    );
    ::close(fd);
    return ntohs(at.sin_port);
}

} // namespace rolegate::support
