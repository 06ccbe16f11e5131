// SPDX-License-Identifier: PostgreSQL
#include "proxy/connect.hpp"

#include <algorithm>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace rolegate::proxy
{

namespace
{

// An option the kernel refuses (not TCP, an old kernel) leaves the socket usable.
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

void tune(boost::asio::ip::tcp::socket& s, const config::listener_settings& settings)
{
    const int fd = s.native_handle();
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds(settings.keepalive.idle));
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds(settings.keepalive.interval));
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, settings.keepalive.count);
    set_option(
        fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(settings.tcp_user_timeout.count())
    );
}

boost::system::error_code open_for(
    boost::asio::ip::tcp::socket& s,
    const std::string& address,
    std::uint16_t port,
    const config::listener_settings& settings,
    boost::asio::ip::tcp::endpoint& to
)
{
    boost::system::error_code ec;
    to = {boost::asio::ip::make_address(address, ec), port};
    if (ec)
        return ec;
    s.open(to.protocol(), ec);
    if (!ec)
        tune(s, settings);
    return ec;
}

} // namespace rolegate::proxy
