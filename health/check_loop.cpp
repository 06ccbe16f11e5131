// SPDX-License-Identifier: PostgreSQL
#include "health/check_loop.hpp"

#include "health/member_check.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace rolegate::health
{

using namespace std::chrono_literals;
namespace asio = boost::asio;
using std::chrono::milliseconds;

milliseconds limit_of(const config::check_settings& s) noexcept
{
    return s.timeout.value_or(s.inter);
}

check_loop::check_loop(
    asio::io_context& control,
    const config::check_settings& settings,
    name_cache& names,
    report_function told
)
    : control_(control), settings_(settings), names_(names), told_(std::move(told)),
      count_(settings), timer_(control)
{
}

void check_loop::aim(const std::string& host, std::uint16_t port)
{
    host_ = host.starts_with('/') ? "127.0.0.1" : host;
    port_ = port;
}

void check_loop::start(time_point first, std::shared_ptr<const void> owner)
{
    next_ = first;
    asio::co_spawn(
        control_,
        run(),
        [self = shared_from_this(), owner = std::move(owner)](std::exception_ptr e)
        {
            if (e)
                std::rethrow_exception(e);
        }
    );
}

void check_loop::stop()
{
    stopped_ = true;
    timer_.cancel();
}

void check_loop::hasten(time_point at)
{
    if (at >= next_)
        return;
    next_ = at;
    timer_.cancel();
}

void check_loop::doubt()
{
    hasten(std::max(clock::now(), ended_ + settings_.fastinter.value_or(settings_.inter)));
}

asio::awaitable<void> check_loop::run()
{
    while (!stopped_)
    {
        if (clock::now() < next_)
        {
            timer_.expires_at(next_);
            co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
            continue; // it may have been woken to wait for less
        }
        const auto began = clock::now();
        const auto error = co_await check_once();
        if (stopped_)
            co_return;
        error.empty() ? count_.good() : count_.bad();
        ended_ = clock::now();
        next_ = ended_ + count_.pause();
        told_(error, ended_ - began);
    }
}

// One address after the other until one is good. One that is silent has its part of the time that
// is left, one that refuses leaves its part to the others.
asio::awaitable<std::string> check_loop::check_once()
{
    const auto limit = limit_of(settings_);
    const auto until = clock::now() + limit;
    const auto host = host_;
    const auto& http = settings_.http;
    const auto port = http && http->port != 0 ? http->port : port_;
    const auto known = co_await names_.address_of(host, limit);
    if (known.empty())
        co_return "host name '" + host + "' has no address";
    const auto addresses = trials_.begin(names_.addresses().at(host));
    auto left_to_try = static_cast<clock::rep>(addresses.size());
    for (const auto& address : addresses)
    {
        http_target to;
        to.host = host;
        to.port = port;
        to.address = address;
        const auto part = (until - clock::now()) / left_to_try--;
        const auto allowed = std::max(std::chrono::duration_cast<milliseconds>(part), 1ms);
        const auto error = co_await check_member(std::move(to), http, allowed);
        if (stopped_)
            co_return error;
        if (error.empty())
        {
            trials_.good(address);
            break;
        }
        trials_.bad(address, error);
        names_.avoid(host, address); // and the name is looked up again soon
    }
    co_return trials_.error();
}

} // namespace rolegate::health
