// SPDX-License-Identifier: PostgreSQL
#include "proxy/listening_socket.hpp"

#include "proxy/connect.hpp"
#include "proxy/inherited_sockets.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/system/system_error.hpp>

#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace rolegate::proxy
{

namespace
{

using tcp = boost::asio::ip::tcp;
using boost::system::error_code;

void check(int result)
{
    if (result < 0)
        throw boost::system::system_error(last_error());
}

unique_fd make_socket(int family)
{
    unique_fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    check(fd.get());
    return fd;
}

tcp::endpoint endpoint_of(const config::host_port& bind)
{
    if (bind.host == "*")
        return {tcp::v4(), bind.port};
    return {boost::asio::ip::make_address(bind.host), bind.port};
}

std::string text_of(const tcp::endpoint& e)
{
    std::ostringstream out;
    out << e;
    return out.str();
}

sockaddr_un address_of(const std::string& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        throw boost::system::system_error(error_code(ENAMETOOLONG, boost::system::system_category())
        );
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

} // namespace

void remove_dead_socket(const std::string& path)
{
    const auto address = address_of(path);
    struct stat found
    {
    };
    if (::stat(address.sun_path, &found) != 0 || !S_ISSOCK(found.st_mode))
        return;
    const auto probe = make_socket(AF_UNIX);
    const auto* to = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(probe.get(), to, sizeof address) != 0 && errno == ECONNREFUSED)
        ::unlink(address.sun_path);
}

std::string text_of(const config::host_port& bind)
{
    return bind.is_unix() ? "unix:" + bind.host : text_of(endpoint_of(bind));
}

listening_socket::listening_socket(
    event_loop& loop,
    owner& told,
    const config::host_port& bind,
    const config::listener_settings& settings
)
    : loop_(loop), told_(told), fd_(inherited().take(text_of(bind))), inherited_(fd_.is_open())
{
    if (bind.is_unix())
        bind_unix(bind);
    else
        bind_tcp(bind, settings);
    // Of one that was inherited the other process may refuse connects, and goes on if we fail.
    if (inherited_)
        return;
    if (const auto ec = listen_again(); ec)
    {
        remove_file(); // no destructor will
        throw boost::system::system_error(ec);
    }
}

listening_socket::~listening_socket()
{
    close();
}

void listening_socket::bind_unix(const config::host_port& bind)
{
    unix_ = true;
    bound_ = text_of(bind);
    if (inherited_)
    {
        if (inherited().is_ours(bind.host))
            path_ = bind.host;
        return;
    }
    const auto address = address_of(bind.host);
    remove_dead_socket(bind.host);
    fd_ = make_socket(AF_UNIX);
    check(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
    path_ = bind.host;
    removes_file_ = true;
    // Who may connect is PostgreSQL's to decide, as with its own socket.
    ::chmod(path_.c_str(), 0777);
}

void listening_socket::bind_tcp(
    const config::host_port& bind, const config::listener_settings& settings
)
{
    auto where = endpoint_of(bind);
    bound_ = text_of(where);
    if (inherited_)
        return tune(fd_.get(), settings);
    fd_ = make_socket(where.protocol().family());
    reuse_address(true);
    // "[::]" is every IPv6 address and no IPv4 one, so that "*" may stand beside it.
    const int alone = 1;
    if (where.address().is_v6())
        check(::setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &alone, sizeof alone));
    tune(fd_.get(), settings);
    check(::bind(fd_.get(), where.data(), static_cast<socklen_t>(where.size())));
    auto size = static_cast<socklen_t>(where.capacity());
    check(::getsockname(fd_.get(), where.data(), &size)); // the port, where 0 was asked for
    where.resize(size);
    bound_ = text_of(where);
}

void listening_socket::use(const config::listener_settings& settings) noexcept
{
    if (!unix_)
        tune(fd_.get(), settings);
}

void listening_socket::on_ready(std::uint32_t)
{
    told_.on_client(*this);
}

bool listening_socket::watch_clients() noexcept
{
    return loop_.want(*this, fd_.get(), EPOLLIN);
}

void listening_socket::ignore_clients() noexcept
{
    loop_.forget(*this, fd_.get());
}

std::pair<unique_fd, error_code> listening_socket::accept(peer& from) noexcept
{
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    auto* where = reinterpret_cast<sockaddr*>(&address);
    unique_fd client(::accept4(fd_.get(), where, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client.is_open())
        return {unique_fd(), last_error()};
    from = peer_from(where);
    return {std::move(client), error_code()};
}

void listening_socket::reuse_address(bool on) noexcept
{
    const int value = on ? 1 : 0;
    static_cast<void>(::setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &value, sizeof value));
}

void listening_socket::refuse_connects() noexcept
{
    ::shutdown(fd_.get(), SHUT_RD);
    reuse_address(false);
}

error_code listening_socket::listen_again() noexcept
{
    reuse_address(true);
    if (::listen(fd_.get(), SOMAXCONN) != 0)
        return last_error();
    removes_file_ = !path_.empty();
    return {};
}

void listening_socket::remove_file() noexcept
{
    if (std::exchange(removes_file_, false))
        ::unlink(path_.c_str());
}

void listening_socket::close() noexcept
{
    remove_file();
    // Another process may have it as well, and then the kernel does not forget it by itself. Where
    // nothing was asked for another thread's loop does not know it.
    if (asked != 0)
        loop_.forget(*this, fd_.get());
    fd_.reset();
}

void listening_socket::close_for_good() noexcept
{
    if (!unix_) // of a unix socket the file goes; that of a socket unit could not come back
        ::shutdown(fd_.get(), SHUT_RD);
    close();
}

void listening_socket::leave_to_others() noexcept
{
    removes_file_ = false;
    close();
}

} // namespace rolegate::proxy
