// SPDX-License-Identifier: PostgreSQL
//
// Workers that stand still, so that none of them closes a descriptor. While another process has a
// copy of a descriptor, the kernel goes on reporting it after it was closed, to somebody who may be
// gone (epoll(7), question 6); a process that is being started has copies of all of them, until it
// has closed what it is not to have.
#pragma once

#include "proxy/event_loop.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

namespace rolegate::proxy
{

class standstill
{
public:
    // Returns when every loop stands; throws std::runtime_error when one does not within `limit`.
    // Not from a thread of theirs.
    standstill(const std::vector<event_loop*>& loops, std::chrono::milliseconds limit);
    ~standstill(); // they go on
    standstill(const standstill&) = delete;
    standstill& operator=(const standstill&) = delete;

private:
    struct agreement;
    void end() noexcept;

    std::shared_ptr<agreement> with_; // a loop may come to it after its end
};

} // namespace rolegate::proxy
