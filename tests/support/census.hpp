// SPDX-License-Identifier: PostgreSQL
//
// How many connections a scripted server had open at once.
#pragma once

#include "tests/support/fake_postgres.hpp"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include <poll.h>

namespace rolegate::support
{

// A connection whose peer has closed it does not count, even if its thread has not noticed.
class census
{
public:
    [[nodiscard]] script counted(script then)
    {
        return [this, then = std::move(then)](stream& s)
        {
            const int fd = s.fd();
            enter(fd);
            then(s);
            const std::lock_guard lock(mutex_);
            std::erase_if(open_, [fd](const ::pollfd& p) { return p.fd == fd; });
        };
    }

    [[nodiscard]] std::size_t most() const
    {
        const std::lock_guard lock(mutex_);
        return most_;
    }

private:
    void enter(int fd)
    {
        const std::lock_guard lock(mutex_);
        open_.push_back({fd, POLLRDHUP, 0});
        const int closed = ::poll(open_.data(), open_.size(), 0);
        most_ = std::max(most_, open_.size() - static_cast<std::size_t>(std::max(closed, 0)));
    }

    mutable std::mutex mutex_;
    std::vector<::pollfd> open_;
    std::size_t most_ = 0;
};

} // namespace rolegate::support
