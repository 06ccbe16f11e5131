// SPDX-License-Identifier: PostgreSQL
#include "proxy/transport.hpp"

#include <boost/asio/error.hpp>

#include <cerrno>
#include <poll.h>
#include <sys/socket.h>

namespace rolegate::proxy
{

namespace
{

namespace asio = boost::asio;
using boost::system::error_code;

bool would_block()
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

} // namespace

transport::~transport()
{
    loop_.forget_closed(*this);
}

// --- for the relay -----------------------------------------------------------------------------

bool transport::tell(reader& to, std::uint32_t events) noexcept
{
    told_ = &to;
    return !is_open() || loop_.want(*this, fd_.get(), events);
}

void transport::on_ready(std::uint32_t events)
{
    if (waits_)
        loop_.resume(waits_, {});
    else if (told_)
        told_->on_ready(*this, events);
    else // until somebody waits again
        static_cast<void>(loop_.want(*this, fd_.get(), 0));
}

io_result transport::receive(std::span<std::byte> room) noexcept
{
    if (tls_)
        return tls_->read(room);
    for (;;)
    {
        const auto n = ::recv(fd_.get(), room.data(), room.size(), MSG_DONTWAIT);
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
        const auto n = ::send(fd_.get(), data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0)
            return {io_status::done, static_cast<std::size_t>(n)};
        if (errno != EINTR)
            return {would_block() ? io_status::want_write : io_status::broken, 0};
    }
}

bool transport::hung_up() const noexcept
{
    pollfd p{fd_.get(), POLLRDHUP, 0};
    return ::poll(&p, 1, 0) > 0;
}

bool transport::said_fin() const noexcept
{
    std::byte next{};
    return ::recv(fd_.get(), &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void transport::finish_sending() noexcept
{
    if (tls_)
        static_cast<void>(tls_->shut_down());
    static_cast<void>(::shutdown(fd_.get(), SHUT_WR));
}

void transport::cancel() noexcept
{
    if (waits_)
        loop_.resume_later(std::move(waits_), asio::error::operation_aborted);
}

void transport::close() noexcept
{
    cancel();
    tell_nobody();
    loop_.forget_closed(*this);
    tls_.reset(); // refers to the descriptor
    fd_.reset();
}

// --- for coroutines ----------------------------------------------------------------------------

// Given to Asio, which calls it with the handler that continues a coroutine.
struct transport::start_wait
{
    transport* what;
    io_status for_what;

    template <class Handler> void operator()(Handler&& handler) const
    {
        what->wait(for_what, completion(std::forward<Handler>(handler)));
    }
};

void transport::wait(io_status for_what, completion then)
{
    const bool registered =
        is_open() &&
        loop_.want(*this, fd_.get(), for_what == io_status::want_write ? EPOLLOUT : EPOLLIN);
    if (registered)
        waits_ = std::move(then);
    else
        loop_.resume_later(std::move(then), asio::error::operation_aborted);
}

asio::awaitable<error_code> transport::ready(io_status for_what)
{
    auto [ec] = co_await asio::async_initiate<decltype(nothrow), void(error_code)>(
        start_wait{this, for_what}, nothrow
    );
    co_return ec;
}

asio::awaitable<error_code> transport::connect(unique_fd fd, const sockaddr* to, std::size_t size)
{
    close();
    fd_ = std::move(fd);
    if (::connect(fd_.get(), to, static_cast<socklen_t>(size)) == 0)
        co_return error_code{};
    if (errno != EINPROGRESS && errno != EINTR)
        co_return last_error();
    // On this machine, and on a near one sometimes, it is there by now; so is a refusal.
    if (::connect(fd_.get(), to, static_cast<socklen_t>(size)) == 0 || errno == EISCONN)
        co_return error_code{};
    if (errno != EALREADY && errno != EINPROGRESS && errno != EINTR)
        co_return last_error();
    const auto ec = co_await ready(io_status::want_write);
    if (ec)
        co_return ec;
    int problem = 0;
    socklen_t length = sizeof problem;
    static_cast<void>(::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &problem, &length));
    co_return error_code(problem, boost::system::system_category());
}

asio::awaitable<std::optional<std::string>> transport::accept_tls(tls_context_ptr context)
{
    tls_.emplace(tls_stream::accept(std::move(context), fd_.get()));
    co_return co_await shake_hands();
}

asio::awaitable<std::optional<std::string>>
transport::connect_tls(tls_context_ptr context, std::string host)
{
    tls_.emplace(tls_stream::connect(std::move(context), fd_.get(), host));
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

asio::awaitable<std::optional<std::byte>> transport::peek()
{
    for (;;)
    {
        std::byte first{};
        const auto n = ::recv(fd_.get(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
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
