// SPDX-License-Identifier: PostgreSQL
//
// How a session comes to a server: routed, held while nobody is open, connected, tried again.
#include "proxy/connect.hpp"
#include "proxy/route.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace rolegate::proxy
{

namespace
{

namespace asio = boost::asio;
using boost::system::error_code;
using milliseconds = std::chrono::milliseconds;

constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

// A member that refused is tried again after 20 ms, then 40 ... 320: fast enough for a promotion,
// slow enough for a server that is starting.
constexpr milliseconds first_pause{20};
constexpr milliseconds longest_pause{320};

double seconds(std::chrono::steady_clock::duration d)
{
    return std::chrono::duration<double>(d).count();
}

} // namespace

// Until a member is open for this listener and takes the connection, or the hold is over.
asio::awaitable<bool> session::reach_server()
{
    if (server_.is_open())
        co_return true;
    auto& o = *opening_;
    if (!o.hold_until)
        o.hold_until = std::chrono::steady_clock::now() + listener_.settings.queue.timeout;

    for (;;)
    {
        const auto now = std::chrono::steady_clock::now();
        if (o.client_left)
            co_return fail(errc::client_gone);
        if (now >= *o.hold_until && !o.refusals.empty())
        {
            end_hold("timeout");
            co_return fail(errc::server_failed);
        }
        const auto rested = rest_members(now);
        const auto t = worker_.believed(listener_.cluster);
        const auto turn = listener_.turn.fetch_add(1, std::memory_order_relaxed);
        const auto to = route(listener_.settings.role, *t, now, turn, o.resting);
        if (to.why == errc::stale_view)
        {
            end_hold("stale");
            co_return fail(to.why);
        }
        if (!to.member)
        {
            listener_.turn.fetch_sub(1, std::memory_order_relaxed);
            // Also when nobody is open: a member that rests may open before its rest is over.
            const bool goes_on = co_await hold(rested);
            if (!goes_on)
                co_return false;
            continue;
        }
        const auto name = to.member->name;
        const auto address = to.member->address;
        const error_code ec = co_await connect_to(name, address, to.member->port);
        if (!ec)
        {
            end_hold("routed");
            co_return true;
        }
        if (why_ != errc::none)
            co_return false;
        lose_server(
            ec == asio::error::connection_refused ? health::life_sign::refused
                                                  : health::life_sign::ended
        );
    }
}

// Lists the members that rest after a refusal; returns when the first of them may be tried again.
session::time_point session::rest_members(time_point now)
{
    auto& o = *opening_;
    auto first = time_point::max();
    o.resting.clear();
    for (const auto& r : o.refusals)
        if (now < r.until)
        {
            o.resting.push_back(r.member);
            first = std::min(first, r.until);
        }
    return first;
}

// Parks the client. False: it has ended, or the hold has.
asio::awaitable<bool> session::hold(time_point until)
{
    auto& o = *opening_;
    phase_ = phase::queue;
    if (!held_)
    {
        if (listener_.held.fetch_add(1) >= listener_.settings.queue.max)
        {
            listener_.held.fetch_sub(1);
            co_return fail(errc::queue_full);
        }
        held_ = true;
        ++worker_.stats_of(listener_).held;
        held_since_ = std::chrono::steady_clock::now();
    }
    o.timer.expires_at(std::min(until, *o.hold_until));
    o.waiting = true;
    co_await o.timer.async_wait(nothrow);
    o.waiting = false;
    if (why_ != errc::none)
    {
        end_hold(why_ == errc::shutting_down ? "shutdown" : "gone");
        co_return false;
    }
    if (std::chrono::steady_clock::now() < *o.hold_until)
        co_return true;
    end_hold("timeout");
    co_return fail(o.refusals.empty() ? errc::no_routable_member : errc::server_failed);
}

void session::end_hold(const char* result)
{
    if (!held_)
        return;
    held_ = false;
    listener_.held.fetch_sub(1);
    auto& stats = worker_.stats_of(listener_);
    --stats.held;
    const auto took = std::chrono::steady_clock::now() - held_since_;
    stats.hold_seconds[result].observe(seconds(took));
    waited_ += took;
}

asio::awaitable<error_code>
session::connect_to(const std::string& name, const std::string& address, std::uint16_t port)
{
    phase_ = phase::connect;
    member_ = name;
    asio::ip::tcp::endpoint to;
    error_code ec = open_for(server_, address, port, listener_.settings, to);
    if (ec)
        co_return ec;

    const auto began = std::chrono::steady_clock::now();
    set_deadline(deadline::connect, listener_.settings.timeouts.connect);
    std::tie(ec) = co_await server_.async_connect(to, nothrow);
    clear_deadline();
    connecting_ = std::chrono::steady_clock::now() - began;
    if (!ec && (why_ != errc::none || !server_.is_open()))
        ec = asio::error::operation_aborted;
    if (ec)
        co_return ec;
    routed_ = std::chrono::steady_clock::now();
    worker_.stats_of(listener_).members[member_].connect_seconds.observe(seconds(connecting_));
    co_return error_code{};
}

// The server is not to be had now: the monitor should look, and this member rests a little.
void session::lose_server(health::life_sign seen)
{
    error_code ignored;
    server_.close(ignored);
    clear_deadline();
    auto& o = *opening_;
    o.answer.clear();
    // We left it because it lost the role: that is no refusal, and nothing to look at again.
    if (std::exchange(o.role_gone, false))
        return member_.clear();
    worker_.hint(listener_.cluster, member_, seen);
    auto r = std::ranges::find(o.refusals, member_, &refusal::member);
    if (r == o.refusals.end())
        r = o.refusals.insert(r, {member_, {}, {}});
    r->pause = std::clamp(2 * r->pause, first_pause, longest_pause);
    r->until = std::chrono::steady_clock::now() + r->pause;
    member_.clear();
}

// Sends and waits for the first byte of an answer.
asio::awaitable<bool> session::ask_server(pgwire::bytes data)
{
    set_deadline(deadline::first_answer, listener_.settings.timeouts.handshake);
    const bool told = co_await tell_server(data);
    if (!told)
        co_return false;
    co_return co_await hear_server(1);
}

asio::awaitable<bool> session::tell_server(pgwire::bytes data)
{
    auto [ec, n] =
        co_await asio::async_write(server_, asio::buffer(data.data(), data.size()), nothrow);
    co_return !ec && why_ == errc::none && server_.is_open();
}

// Appends to opening_->answer until it has this many bytes.
asio::awaitable<bool> session::hear_server(std::size_t at_least)
{
    auto& answer = opening_->answer;
    std::array<std::byte, 2048> room;
    while (answer.size() < at_least)
    {
        // The answer to an encryption request is one byte; what is behind it is not ours to take.
        const auto wanted = opening_->hands.step() == handshake::next::negotiate ? 1 : room.size();
        auto [ec, n] = co_await server_.async_read_some(asio::buffer(room.data(), wanted), nothrow);
        if (ec || why_ != errc::none || !server_.is_open())
            co_return false;
        answer.insert(answer.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(n));
    }
    co_return true;
}

asio::awaitable<bool> session::tell_client(pgwire::bytes data)
{
    clear_deadline();
    auto [ec, n] =
        co_await asio::async_write(client_, asio::buffer(data.data(), data.size()), nothrow);
    opening_out_ += n;
    if (why_ != errc::none)
        co_return false;
    co_return ec ? fail(errc::client_gone) : true;
}

} // namespace rolegate::proxy
