// SPDX-License-Identifier: PostgreSQL
#include "health/resolve.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace rolegate::health
{

namespace
{

using namespace std::chrono_literals;

constexpr auto refresh_every = 30s;
constexpr auto retry_every = 2s; // after a look-up that failed

// How often those who wait for an address look whether it has come.
constexpr auto poll_every = 20ms;

// Cluster members come and go by name in containers; more names than this are not kept.
constexpr std::size_t max_names = 4096;

bool is_its_own_answer(const std::string& host)
{
    boost::system::error_code ec;
    boost::asio::ip::make_address(host, ec);
    return !ec || host.front() == '/';
}

} // namespace

name_cache::name_cache(boost::asio::io_context& control, std::function<void()> changed)
    : lookups_(boost::asio::use_service<lookup_pool>(control)), changed_(std::move(changed))
{
}

void name_cache::want(const std::string& host)
{
    if (host.empty())
        return;
    if (is_its_own_answer(host))
    {
        addresses_.try_emplace(host, address_list{host});
        return;
    }
    if (asked_.size() >= max_names && !asked_.contains(host))
        return;
    auto& e = asked_[host];
    const bool good = addresses_.contains(host) && !e.doubted;
    const auto every = good ? refresh_every : retry_every;
    if (e.in_flight || (e.asked != time_point{} && clock::now() - e.asked < every))
        return;
    e.in_flight = true;
    e.doubted = false;
    e.asked = clock::now();
    lookups_.ask(
        host,
        [this, host, alive = std::weak_ptr(alive_)](const auto& found)
        {
            if (!alive.expired())
                answered(host, found);
        }
    );
}

boost::asio::awaitable<std::string>
name_cache::address_of(std::string host, std::chrono::milliseconds limit)
{
    const auto until = clock::now() + limit;
    boost::asio::steady_timer pause(co_await boost::asio::this_coro::executor);
    for (;;)
    {
        want(host);
        const auto known = addresses_.find(host);
        if (known != addresses_.end())
            co_return known->second.front();
        if (stopped_ || clock::now() >= until)
            co_return "";
        pause.expires_after(poll_every);
        co_await pause.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
}

void name_cache::answered(const std::string& host, const address_list& found)
{
    if (stopped_)
        return;
    auto& e = asked_[host];
    e.in_flight = false;
    e.asked =
        clock::now(); // a look-up may take long, and the next one is to come some time after it
    if (found.empty())
        return;
    auto& known = addresses_[host];
    auto merged = merge_addresses(known, found);
    if (merged == known)
        return;
    known = std::move(merged);
    changed_();
}

void name_cache::avoid(const std::string& host, const std::string& address)
{
    const auto found = addresses_.find(host);
    const auto asked = asked_.find(host);
    if (found == addresses_.end() || asked == asked_.end())
        return;
    auto& e = asked->second;
    e.doubted = true;
    auto& list = found->second;
    if (list.size() < 2 || list.front() != address)
        return;
    const auto now = clock::now();
    if (now - e.turning >= refresh_every)
    {
        e.turning = now;
        e.turns = 0;
    }
    if (e.turns >= list.size()) // the list may have become shorter
        return;
    ++e.turns;
    std::ranges::rotate(list, list.begin() + 1);
    changed_();
}

} // namespace rolegate::health
