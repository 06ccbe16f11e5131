// SPDX-License-Identifier: PostgreSQL
#include "proxy/inherited_sockets.hpp"

#include "proxy/log.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <utility>

namespace rolegate::proxy
{

namespace
{

std::optional<std::string> variable(const char* name)
{
    const char* value = std::getenv(name);
    return value ? std::optional<std::string>(value) : std::nullopt;
}

bool is_stream(int fd)
{
    int type = 0;
    socklen_t size = sizeof type;
    return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

std::string path_of(const sockaddr_storage& address)
{
    sockaddr_un file{};
    std::memcpy(&file, &address, sizeof file);
    return file.sun_path; // of an abstract socket it is empty
}

// As text_of() calls what is configured; "": not one that could be.
std::string address_of(int fd)
{
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (!is_stream(fd) || ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        return {};
    if (address.ss_family == AF_UNIX)
        return path_of(address).empty() ? "" : "unix:" + path_of(address);
    if (address.ss_family != AF_INET && address.ss_family != AF_INET6)
        return {};
    boost::asio::ip::tcp::endpoint where;
    std::memcpy(where.data(), &address, size);
    where.resize(size);
    std::ostringstream out;
    out << where;
    return where.port() == 0 ? "" : out.str();
}

// Who had it before may have removed the file, and then no client finds the socket.
bool can_be_reached(std::string_view address)
{
    constexpr std::string_view unix_socket = "unix:";
    struct stat found
    {
    };
    return !address.starts_with(unix_socket) ||
           (::stat(std::string(address.substr(unix_socket.size())).c_str(), &found) == 0 &&
            S_ISSOCK(found.st_mode));
}

} // namespace

void inherited_sockets::adopt_environment()
{
    constexpr const char* names[] = {
        "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "ROLEGATE_UPGRADES"};
    const listen_environment e{
        variable(names[0]), variable(names[1]), variable(names[2]), variable(names[3])};
    for (const auto& d : listen_fds(e, ::getpid()))
        add(unique_fd(d.fd), d.name);
    for (const auto* name : names)
        ::unsetenv(name);
}

void inherited_sockets::add(unique_fd fd, const std::string& name)
{
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0)
        return; // nothing is open there
    ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
    auto address = address_of(fd.get());
    if (!address.empty())
        ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK);
    left_.push_back({std::move(fd), name, std::move(address)});
}

unique_fd inherited_sockets::take(std::string_view address)
{
    const auto found = std::ranges::find(left_, address, &descriptor::address);
    if (found == left_.end() || !can_be_reached(address))
        return {};
    auto fd = std::move(found->fd);
    left_.erase(found);
    return fd;
}

unique_fd inherited_sockets::take_named(std::string_view name)
{
    const auto found = std::ranges::find(left_, name, &descriptor::name);
    if (found == left_.end())
        return {};
    auto fd = std::move(found->fd);
    left_.erase(found);
    return fd;
}

std::vector<std::string> inherited_sockets::close_rest()
{
    std::vector<std::string> names;
    for (auto& d : std::exchange(left_, {}))
    {
        log::line(config::log_level::warning, "inherited_unused")
            .text("name", d.name)
            .add("address", log::quoted(d.address))
            .text("text", "no bind has this address: the descriptor is closed");
        names.push_back(std::move(d.name));
    }
    return names;
}

inherited_sockets& inherited()
{
    static inherited_sockets ours;
    return ours;
}

} // namespace rolegate::proxy
