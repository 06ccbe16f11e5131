// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/shared_view.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <utility>

namespace rolegate::proxy::admin
{

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;

asio::awaitable<view_ptr> shared_view::get()
{
    const auto mine = ++asked_;
    while (covered_ < mine)
    {
        if (!gathering_ && clock::now() >= next_)
            co_await gather_now();
        else
            co_await change_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    co_return view_;
}

asio::awaitable<void> shared_view::gather_now()
{
    gathering_ = true;
    next_ = clock::now() + pause;
    const auto covers = asked_;
    change_.expires_at(clock::time_point::max());
    std::exception_ptr failed;
    try
    {
        auto gathered = co_await gather_();
        view_ = std::make_shared<const process_view>(std::move(gathered));
        covered_ = covers;
    }
    catch (...)
    {
        failed = std::current_exception();
    }
    gathering_ = false;
    change_.expires_at(next_); // and whoever waits is woken
    if (failed)
        std::rethrow_exception(failed);
}

} // namespace rolegate::proxy::admin
