// SPDX-License-Identifier: PostgreSQL
#include "proxy/cancel.hpp"

#include "proxy/connect.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <list>

namespace rolegate::proxy
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;
using boost::system::error_code;

constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

// PostgreSQL forks a process and reads one packet; more time than this means a dead host.
constexpr auto limit = 2s;

asio::awaitable<void> offer(
    stream_socket& s,
    const server_address& to,
    pgwire::bytes packet,
    const config::listener_settings& settings
)
{
    endpoint where;
    if (open_for(s, to, settings, where))
        co_return;
    auto [connect_ec] = co_await s.async_connect(where, nothrow);
    if (connect_ec)
        co_return;
    auto [write_ec, written] =
        co_await asio::async_write(s, asio::buffer(packet.data(), packet.size()), nothrow);
    if (write_ec)
        co_return;
    char end = 0;
    co_await s.async_read_some(asio::buffer(&end, 1), nothrow);
}

} // namespace

asio::awaitable<void> offer_cancel(
    const std::vector<server_address>& servers,
    pgwire::bytes packet,
    const config::listener_settings& settings
)
{
    if (servers.empty())
        co_return;
    const auto ex = co_await asio::this_coro::executor;
    std::list<stream_socket> sockets;
    asio::steady_timer all_done(ex, limit);
    auto left = servers.size();
    for (const auto& to : servers)
    {
        auto& s = sockets.emplace_back(ex);
        asio::co_spawn(
            ex,
            offer(s, to, packet, settings),
            [&left, &all_done](std::exception_ptr)
            {
                if (--left == 0)
                    all_done.cancel();
            }
        );
    }
    if (left > 0) // some fail at once
        co_await all_done.async_wait(nothrow);

    // The offers refer to this frame: it stays until the last one has returned.
    while (left > 0)
    {
        error_code ignored;
        for (auto& s : sockets)
            s.close(ignored);
        all_done.expires_after(limit);
        co_await all_done.async_wait(nothrow);
    }
}

} // namespace rolegate::proxy
