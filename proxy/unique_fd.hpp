// SPDX-License-Identifier: PostgreSQL
//
// Owns a descriptor; and what a system call says that has failed.
#pragma once

#include <boost/system/error_code.hpp>

#include <cerrno>

#include <unistd.h>
#include <utility>

namespace rolegate::proxy
{

[[nodiscard]] inline boost::system::error_code last_error() noexcept
{
    return {errno, boost::system::system_category()};
}

class unique_fd
{
public:
    unique_fd() noexcept = default;
    explicit unique_fd(int fd) noexcept : fd_(fd) {}
    ~unique_fd() { reset(); }
    unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    unique_fd& operator=(unique_fd&& other) noexcept
    {
        if (this != &other)
            reset(std::exchange(other.fd_, -1));
        return *this;
    }
    unique_fd(const unique_fd&) = delete;
    unique_fd& operator=(const unique_fd&) = delete;

    // -1: none
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

    // Whoever asks owns it now.
    int release() noexcept { return std::exchange(fd_, -1); }

    void reset(int fd = -1) noexcept
    {
        const int old = std::exchange(fd_, fd);
        if (old >= 0)
            ::close(old);
    }

private:
    int fd_ = -1;
};

} // namespace rolegate::proxy
