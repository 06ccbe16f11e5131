// SPDX-License-Identifier: PostgreSQL
#include "proxy/last_sessions.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <utility>

namespace rolegate::proxy
{

namespace
{

using namespace std::chrono_literals;
using time_point = std::chrono::steady_clock::time_point;
namespace asio = boost::asio;

// How often it is looked whether the last one has gone.
constexpr auto poll = 50ms;

// The goodbyes of those that are cut take no longer than this.
constexpr auto cut_limit = 3s;

} // namespace

last_sessions::last_sessions(asio::io_context& control, std::chrono::milliseconds limit, steps s)
    : limit_(limit), steps_(std::move(s)), timer_(control)
{
}

void last_sessions::start()
{
    if (std::exchange(started_, true))
        return;
    asio::co_spawn(
        timer_.get_executor(),
        wait(),
        [this](std::exception_ptr e)
        {
            steps_.gone();
            if (e)
                std::rethrow_exception(e);
        }
    );
}

asio::awaitable<void> last_sessions::wait()
{
    const auto cut_at = std::chrono::steady_clock::now() + limit_;
    auto give_up_at = time_point::max();
    for (;;)
    {
        const auto left = co_await steps_.count();
        const auto now = std::chrono::steady_clock::now();
        if (left == 0 || now >= give_up_at)
            co_return;
        if ((cut_ || now >= cut_at) && give_up_at == time_point::max())
        {
            give_up_at = now + cut_limit;
            steps_.cut();
        }
        steps_.look();
        timer_.expires_after(poll);
        co_await timer_.async_wait(asio::use_awaitable);
    }
}

} // namespace rolegate::proxy
