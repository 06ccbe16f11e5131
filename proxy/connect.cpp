// SPDX-License-Identifier: PostgreSQL
#include "proxy/connect.hpp"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <algorithm>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>

namespace rolegate::proxy
{

namespace
{

namespace asio = boost::asio;
using boost::system::error_code;
using endpoint = asio::generic::stream_protocol::endpoint;

constexpr int on = 1;

// An option the kernel refuses (an old kernel) leaves the socket usable.
void set_option(int fd, int level, int name, int value)
{
    static_cast<void>(::setsockopt(fd, level, name, &value, sizeof value));
}

// The kernel counts whole seconds, at least one.
int seconds(config::milliseconds ms)
{
    return static_cast<int>(std::max<std::int64_t>(1, (ms.count() + 999) / 1000));
}

error_code endpoint_of(const server_address& server, endpoint& to)
{
    if (server.address.starts_with('/'))
    {
        const auto path = server.address + "/.s.PGSQL." + std::to_string(server.port);
        if (path.size() >= sizeof(sockaddr_un::sun_path))
            return asio::error::name_too_long;
        to = asio::local::stream_protocol::endpoint(path);
        return {};
    }
    error_code ec;
    const auto address = asio::ip::make_address(server.address, ec);
    if (!ec)
        to = asio::ip::tcp::endpoint(address, server.port);
    return ec;
}

} // namespace

void tune(int fd, const config::listener_settings& settings) noexcept
{
    if (::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        return; // not TCP
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds(settings.keepalive.idle));
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds(settings.keepalive.interval));
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, settings.keepalive.count);
    set_option(
        fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(settings.tcp_user_timeout.count())
    );
}

asio::awaitable<error_code>
connect(transport& t, server_address server, const config::listener_settings& settings)
{
    endpoint to;
    const auto bad = endpoint_of(server, to);
    if (bad)
        co_return bad;
    unique_fd fd(::socket(to.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.is_open())
        co_return last_error();
    tune(fd.get(), settings);
    const error_code ec = co_await t.connect(std::move(fd), to.data(), to.size());
    co_return ec;
}

server_address place_of(const transport& t)
{
    asio::ip::tcp::endpoint there;
    auto size = static_cast<socklen_t>(there.capacity());
    if (::getpeername(t.native_handle(), there.data(), &size) == 0)
        there.resize(size);
    return {there.address().to_string(), there.port()};
}

} // namespace rolegate::proxy
