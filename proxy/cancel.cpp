// SPDX-License-Identifier: PostgreSQL
#include "proxy/cancel.hpp"

#include "proxy/connect.hpp"

#include <boost/asio/co_spawn.hpp>

#include <list>

namespace rolegate::proxy
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;
using boost::system::error_code;

// PostgreSQL forks a process and reads one packet; more time than this means a dead host.
constexpr auto limit = 2s;

// The packet, and the server's FIN: it has done what it was asked for.
asio::awaitable<void> offer(
    transport& t, server_address to, pgwire::bytes packet, const config::listener_settings& settings
)
{
    const error_code refused = co_await connect(t, std::move(to), settings);
    if (refused)
        co_return;
    const auto [broken, written] = co_await t.write(packet);
    if (broken)
        co_return;
    std::byte end{};
    static_cast<void>(co_await t.read_some(std::span(&end, 1)));
}

} // namespace

asio::awaitable<void> offer_cancel(
    event_loop& loop,
    const std::vector<server_address>& servers,
    pgwire::bytes packet,
    const config::listener_settings& settings
)
{
    if (servers.empty())
        co_return;
    std::list<transport> legs;
    event_loop::alarm all_done(loop);
    auto left = servers.size();
    for (const auto& to : servers)
        asio::co_spawn(
            loop.get_executor(),
            offer(legs.emplace_back(loop), to, packet, settings),
            [&left, &all_done](std::exception_ptr)
            {
                if (--left == 0)
                    all_done.cancel();
            }
        );
    if (left > 0) // some fail at once
        co_await all_done.wait_until(std::chrono::steady_clock::now() + limit);

    // The offers refer to this frame: it stays until the last one has returned.
    while (left > 0)
    {
        for (auto& t : legs)
            t.close();
        co_await all_done.wait_until(std::chrono::steady_clock::now() + limit);
    }
}

} // namespace rolegate::proxy
