// SPDX-License-Identifier: PostgreSQL
#include "proxy/connect.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <algorithm>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>

namespace rolegate::proxy
{

namespace
{

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

} // namespace

void tune(stream_socket& s, const config::listener_settings& settings)
{
    const int fd = s.native_handle();
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

boost::system::error_code open_for(
    stream_socket& s,
    const server_address& server,
    const config::listener_settings& settings,
    endpoint& to
)
{
    boost::system::error_code ec;
    if (server.address.starts_with('/'))
    {
        const auto path = server.address + "/.s.PGSQL." + std::to_string(server.port);
        if (path.size() >= sizeof(sockaddr_un::sun_path))
            return boost::asio::error::name_too_long;
        to = boost::asio::local::stream_protocol::endpoint(path);
    }
    else
    {
        const auto address = boost::asio::ip::make_address(server.address, ec);
        if (ec)
            return ec;
        to = boost::asio::ip::tcp::endpoint(address, server.port);
    }
    s.open(to.protocol(), ec);
    if (!ec)
        tune(s, settings);
    return ec;
}

} // namespace rolegate::proxy
