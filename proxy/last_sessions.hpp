// SPDX-License-Identifier: PostgreSQL
//
// A process that takes no clients any more goes on until its last session has ended, or long
// enough. Control thread only.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <functional>

namespace rolegate::proxy
{

class last_sessions
{
public:
    struct steps
    {
        std::function<boost::asio::awaitable<std::size_t>()> count;
        std::function<void()> look; // now and then
        std::function<void()> cut;  // all of them
        std::function<void()> gone;
    };

    // `limit`: until they are cut.
    last_sessions(boost::asio::io_context& control, std::chrono::milliseconds limit, steps s);

    void set_limit(std::chrono::milliseconds limit) noexcept { limit_ = limit; } // before start()
    void start(); // again: it goes on
    void cut() noexcept { cut_ = true; }

private:
    boost::asio::awaitable<void> wait();

    std::chrono::milliseconds limit_;
    const steps steps_;
    boost::asio::steady_timer timer_;
    bool started_ = false;
    bool cut_ = false;
};

} // namespace rolegate::proxy
