// SPDX-License-Identifier: PostgreSQL
#include "proxy/transport.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace rolegate::proxy
{

namespace
{

namespace asio = boost::asio;
using boost::system::error_code;

constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

bool would_block()
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

} // namespace

io_result transport::receive(std::span<std::byte> room) noexcept
{
    if (tls_)
        return tls_->read(room);
    for (;;)
    {
        const auto n = ::recv(socket_.native_handle(), room.data(), room.size(), MSG_DONTWAIT);
        if (n > 0)
            return {io_status::done, static_cast<std::size_t>(n)};
        if (n == 0)
            return {io_status::ended, 0};
        if (errno != EINTR)
            return {would_block() ? io_status::want_read : io_status::broken, 0};
    }
}

io_result transport::send(std::span<const std::byte> data) noexcept
{
    if (tls_)
        return tls_->write(data);
    for (;;)
    {
        const auto n =
            ::send(socket_.native_handle(), data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0)
            return {io_status::done, static_cast<std::size_t>(n)};
        if (errno != EINTR)
            return {would_block() ? io_status::want_write : io_status::broken, 0};
    }
}

bool transport::hung_up() const noexcept
{
    pollfd p{descriptor(), POLLRDHUP, 0};
    return ::poll(&p, 1, 0) > 0;
}

bool transport::said_fin() const noexcept
{
    std::byte next{};
    return ::recv(descriptor(), &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

// Asio's native_handle() is not const.
int transport::descriptor() const noexcept
{
    return const_cast<socket&>(socket_).native_handle();
}

void transport::finish_sending() noexcept
{
    if (tls_)
        static_cast<void>(tls_->shut_down());
    error_code ignored;
    socket_.shutdown(socket::shutdown_send, ignored);
}

void transport::forget_writability(const socket::protocol_type& protocol) noexcept
{
    error_code ec;
    const int fd = socket_.release(ec);
    if (ec)
        return;
    socket_.assign(protocol, fd, ec);
    if (ec)
        ::close(fd);
}

void transport::cancel() noexcept
{
    error_code ignored;
    socket_.cancel(ignored);
}

void transport::close() noexcept
{
    tls_.reset(); // refers to the descriptor
    error_code ignored;
    socket_.close(ignored);
}

asio::awaitable<std::optional<std::string>> transport::accept_tls(tls_context_ptr context)
{
    tls_.emplace(tls_stream::accept(std::move(context), socket_.native_handle()));
    co_return co_await shake_hands();
}

asio::awaitable<std::optional<std::string>>
transport::connect_tls(tls_context_ptr context, std::string host)
{
    tls_.emplace(tls_stream::connect(std::move(context), socket_.native_handle(), host));
    co_return co_await shake_hands();
}

asio::awaitable<std::optional<std::string>> transport::shake_hands()
{
    for (;;)
    {
        if (!tls_)
            co_return "closed";
        const auto r = tls_->handshake();
        if (r.status == io_status::done)
            co_return std::nullopt;
        if (r.status == io_status::ended)
            co_return "closed by the other side";
        if (r.status == io_status::broken)
            co_return tls_->error();
        const auto ec = co_await ready(r.status);
        if (ec)
            co_return ec.message();
    }
}

asio::awaitable<error_code> transport::ready(io_status for_what)
{
    const auto kind = for_what == io_status::want_write ? socket::wait_write : socket::wait_read;
    auto [ec] = co_await socket_.async_wait(kind, nothrow);
    co_return ec;
}

asio::awaitable<std::optional<std::byte>> transport::peek()
{
    for (;;)
    {
        std::byte first{};
        const auto n = ::recv(socket_.native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n == 1)
            co_return first;
        if (n == 0 || !(would_block() || errno == EINTR))
            co_return std::nullopt;
        const auto ec = co_await ready(io_status::want_read);
        if (ec)
            co_return std::nullopt;
    }
}

asio::awaitable<std::pair<error_code, std::size_t>> transport::read_some(std::span<std::byte> room)
{
    for (;;)
    {
        const auto r = receive(room);
        if (r.status == io_status::done)
            co_return std::pair{error_code{}, r.size};
        if (r.status == io_status::ended)
            co_return std::pair{error_code(asio::error::eof), std::size_t{0}};
        if (r.status == io_status::broken)
            co_return std::pair{error_code(asio::error::connection_reset), std::size_t{0}};
        const auto ec = co_await ready(r.status);
        if (ec)
            co_return std::pair{ec, std::size_t{0}};
    }
}

asio::awaitable<std::pair<error_code, std::size_t>> transport::write(std::span<const std::byte> data
)
{
    std::size_t sent = 0;
    while (sent < data.size())
    {
        const auto r = send(data.subspan(sent));
        sent += r.size;
        if (r.status == io_status::done)
            continue;
        if (r.status == io_status::ended || r.status == io_status::broken)
            co_return std::pair{error_code(asio::error::connection_reset), sent};
        const auto ec = co_await ready(r.status);
        if (ec)
            co_return std::pair{ec, sent};
    }
    co_return std::pair{error_code{}, sent};
}

} // namespace rolegate::proxy
