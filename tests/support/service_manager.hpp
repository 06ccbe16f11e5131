// SPDX-License-Identifier: PostgreSQL
//
// A service manager: what sd_notify(3) sends to it while it lives.
#pragma once

#include "tests/support/socket_file.hpp"

#include <cstdlib>
#include <string>
#include <vector>

#include <sys/uio.h>

namespace rolegate::support
{

class service_manager
{
public:
    // `watchdog`: WATCHDOG_USEC, "" for none.
    explicit service_manager(const std::string& watchdog = "")
        : path_(folder_.file("notify")), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    {
        if (detail::bind_to(fd_, detail::file_address(path_)) != 0)
            throw std::system_error(errno, std::generic_category(), "bind");
        ::setenv("NOTIFY_SOCKET", path_.c_str(), 1);
        if (!watchdog.empty())
            ::setenv("WATCHDOG_USEC", watchdog.c_str(), 1);
    }
    ~service_manager()
    {
        ::unsetenv("NOTIFY_SOCKET");
        ::unsetenv("WATCHDOG_USEC");
        for (const int fd : kept_)
            ::close(fd);
        ::close(fd_);
    }
    service_manager(const service_manager&) = delete;
    service_manager& operator=(const service_manager&) = delete;

    // What has been said since the last call.
    [[nodiscard]] std::vector<std::string> heard()
    {
        std::vector<std::string> all;
        while (receive(all))
            ;
        return all;
    }

    // Descriptors that came with it, all in all.
    [[nodiscard]] const std::vector<int>& kept() const noexcept { return kept_; }

private:
    bool receive(std::vector<std::string>& into)
    {
        char text[1024];
        alignas(::cmsghdr) char with[CMSG_SPACE(sizeof(int))] = {};
        ::iovec part{text, sizeof text};
        ::msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = with;
        message.msg_controllen = sizeof with;
        const auto n = ::recvmsg(fd_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0)
            return false;
        into.emplace_back(text, static_cast<std::size_t>(n));
        const auto* c = CMSG_FIRSTHDR(&message);
        if (c != nullptr && c->cmsg_type == SCM_RIGHTS)
        {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
            kept_.push_back(fd);
        }
        return true;
    }

    own_folder folder_;
    std::string path_;
    int fd_;
    std::vector<int> kept_;
};

} // namespace rolegate::support
