// SPDX-License-Identifier: PostgreSQL
#include "proxy/relay.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/socket.h>

namespace rolegate::proxy
{

namespace
{

using boost::system::error_code;

// After this many full buffers others get their turn.
constexpr int max_rounds = 8;

// Terminate of the PostgreSQL protocol: 'X' and its length. A driver that says goodbye and waits
// for the server to close first ends its session as it should.
bool ends_with_terminate(std::span<const std::byte> seen)
{
    constexpr std::array terminate{
        std::byte{'X'}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{4}};
    return seen.size() >= terminate.size() && std::ranges::equal(seen.last<5>(), terminate);
}

} // namespace

relay::relay(socket& client, socket& server, buffer_pool& buffers, relay_owner& owner) noexcept
    : from_client_{client, server, errc::client_reset, errc::server_reset, {}},
      from_server_{server, client, errc::server_reset, errc::client_reset, {}}, buffers_(buffers),
      owner_(owner)
{
}

relay::~relay()
{
    buffers_.give_back(std::move(from_client_.parked));
    buffers_.give_back(std::move(from_server_.parked));
}

void relay::start(const pgwire::frame_tracker* tracker)
{
    clear_ = tracker != nullptr;
    if (tracker)
        tracker_ = *tracker;
    busy_ = tracker_.ready_status() == '\0';
    // Readiness is edge-triggered: what is there already is reported too.
    wait_readable(from_server_);
    wait_readable(from_client_);
}

void relay::wait_readable(flow& f)
{
    wait(f, f.from, socket::wait_read, &relay::on_readable);
}

void relay::wait_writable(flow& f)
{
    wait(f, f.to, socket::wait_write, &relay::on_writable);
}

void relay::wait(flow& f, socket& on, socket::wait_type kind, void (relay::*then)(flow&))
{
    ++waits_;
    on.async_wait(
        kind,
        [this, &f, then](const error_code& ec)
        {
            --waits_;
            if (stopping_)
                waited();
            else if (ec)
                finish(f.from_broke);
            else
                (this->*then)(f);
        }
    );
}

void relay::on_readable(flow& f)
{
    for (int round = 0; round < max_rounds; ++round)
    {
        const auto room = buffers_.scratch();
        const auto n = ::recv(f.from.native_handle(), room.data(), room.size(), MSG_DONTWAIT);
        if (n == 0)
            return on_eof(f);
        if (n < 0)
        {
            if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
                break;
            return finish(f.from_broke);
        }
        const auto size = static_cast<std::size_t>(n);
        f.bytes += size;
        observe(f, room.first(size));
        if (!pass_on(f, size))
            return;
        if (size < room.size())
            break; // that was all; a further recv would only say EAGAIN
    }
    wait_readable(f);
}

void relay::observe(flow& f, std::span<const std::byte> seen)
{
    if (!clear_)
        return;
    if (&f == &from_client_)
    {
        busy_ = true;
        terminated_ = ends_with_terminate(seen);
        return;
    }
    tracker_.feed(seen);
    if (tracker_.ready_status() != '\0')
        busy_ = false;
}

// Sends `size` bytes of the scratch buffer. False: they were not all taken, or the receiver broke;
// the flow goes on when it is writable, or not at all.
bool relay::pass_on(flow& f, std::size_t size)
{
    const auto* data = buffers_.scratch().data();
    std::size_t sent = 0;
    while (sent < size)
    {
        const auto n =
            ::send(f.to.native_handle(), data + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0)
        {
            sent += static_cast<std::size_t>(n);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
        {
            finish(f.to_broke);
            return false;
        }
        f.parked = buffers_.park();
        f.begin = sent;
        f.end = size;
        wait_writable(f);
        return false;
    }
    return true;
}

void relay::on_writable(flow& f)
{
    while (f.begin < f.end)
    {
        const auto n = ::send(
            f.to.native_handle(),
            f.parked.get() + f.begin,
            f.end - f.begin,
            MSG_DONTWAIT | MSG_NOSIGNAL
        );
        if (n >= 0)
        {
            f.begin += static_cast<std::size_t>(n);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return wait_writable(f);
        return finish(f.to_broke);
    }
    buffers_.give_back(std::move(f.parked));
    on_readable(f);
}

void relay::on_eof(flow& f)
{
    f.ended = true;
    error_code ignored;
    f.to.shutdown(socket::shutdown_send, ignored);
    const bool other_ended = &f == &from_client_ ? from_server_.ended : from_client_.ended;
    if (other_ended)
        return finish(why_);
    // Remembered for the end: a server that ends first has something to explain.
    why_ = &f == &from_server_ && !terminated_ ? errc::server_ended : errc::none;
    owner_.on_half_closed();
}

void relay::stop(errc why)
{
    if (stopping_)
        return;
    stopping_ = true;
    why_ = why;
    error_code ignored;
    from_server_.from.close(ignored);
    from_client_.from.cancel(ignored);
    if (waits_ == 0)
    {
        ++waits_;
        boost::asio::post(
            from_client_.from.get_executor(),
            [this]
            {
                --waits_;
                waited();
            }
        );
    }
}

// A server that has ended already is the reason for whatever breaks afterwards.
void relay::finish(errc why)
{
    stop(why_ == errc::server_ended ? why_ : why);
}

// The last handler that returns ends the relay.
void relay::waited()
{
    if (stopping_ && waits_ == 0)
        owner_.on_relay_end(why_);
}

bool relay::idle() const noexcept
{
    return clear_ && !busy_ && tracker_.ready_status() == 'I';
}

std::string relay::take_unsent()
{
    const auto& f = from_server_;
    return f.parked ? std::string(
                          reinterpret_cast<const char*>(f.parked.get()) + f.begin, f.end - f.begin
                      )
                    : std::string();
}

} // namespace rolegate::proxy
