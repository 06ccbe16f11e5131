// SPDX-License-Identifier: PostgreSQL
#include "proxy/service_report.hpp"

#include "proxy/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace rolegate::proxy
{

namespace
{

namespace asio = boost::asio;
using namespace std::chrono_literals;

// How often the line may change. Who watches us is told at least twice within its limit.
constexpr std::chrono::microseconds status_every = 1s;

} // namespace

service_report::service_report(
    asio::io_context& control, service_notify& to, session_count sessions, status_text status
)
    : to_(to), sessions_(std::move(sessions)), status_(std::move(status)), timer_(control)
{
}

void service_report::start()
{
    if (!to_.is_heard())
        return;
    asio::co_spawn(
        timer_.get_executor(),
        run(),
        [](const std::exception_ptr& e)
        {
            if (e)
                log::internal_error(e);
        }
    );
}

void service_report::stop()
{
    stopped_ = true;
    timer_.cancel();
}

asio::awaitable<void> service_report::run()
{
    const auto every = std::min(status_every, to_.watchdog().value_or(status_every) / 2);
    while (!stopped_)
    {
        const auto sessions = co_await sessions_();
        if (stopped_)
            co_return;
        to_.status(status_(sessions));
        if (to_.watchdog())
            to_.alive();
        timer_.expires_after(every);
        static_cast<void>(co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable)));
    }
}

} // namespace rolegate::proxy
