// SPDX-License-Identifier: PostgreSQL
#include "tests/support/fake_postgres.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace rolegate::support
{

namespace
{

int checked(int result, const char* what)
{
    if (result < 0)
        throw std::system_error(errno, std::generic_category(), what);
    return result;
}

::sockaddr_in loopback(std::uint16_t port)
{
    ::sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

} // namespace

byte_vector take_startup(stream& s)
{
    for (;;)
    {
        const auto packet = s.receive_packet();
        if (packet != ssl_request() && packet != gssenc_request())
            return packet;
        s.send(bytes_of("N"));
    }
}

void serve_queries(stream& s)
{
    char status = 'I';
    bool waits = false;
    for (;;)
    {
        const auto m = s.receive_message();
        if (m.empty() || m == terminate())
            return;
        if (m == query("wait"))
            waits = true;
        const bool flushed = waits && m.front() == std::byte{'H'};
        if ((m.front() != std::byte{'Q'} || m == query("wait")) && !flushed)
            continue;
        waits = false;
        if (m == query("begin"))
            status = 'T';
        else if (m == query("commit"))
            status = 'I';
        s.send(query_answer(status));
    }
}

script serving()
{
    return [](stream& s)
    {
        const auto packet = take_startup(s);
        if (packet.empty() || packet == cancel_request())
            return;
        s.send(login_answer());
        serve_queries(s);
    };
}

script refusing_startup(const byte_vector& error)
{
    return [error](stream& s)
    {
        if (!take_startup(s).empty())
            s.send(error);
    };
}

script with_tls(const server_tls& tls, script inside, script in_clear)
{
    return [=](stream& s)
    {
        if (s.peek(8) != ssl_request())
            return in_clear(s);
        s.receive(8);
        s.send(bytes_of("S"));
        if (s.accept_tls(tls))
            inside(s);
    };
}

script only_tls(const server_tls& tls, script inside)
{
    return with_tls(
        tls,
        std::move(inside),
        refusing_startup(fatal("28000", "no pg_hba.conf entry for host, no encryption"))
    );
}

script silent()
{
    return [](stream& s) { s.receive_to_end(); };
}

script resetting()
{
    return [](stream& s)
    {
        s.receive(1);
        s.reset();
    };
}

script one_after_another(std::vector<script> scripts)
{
    auto next = std::make_shared<std::atomic<std::size_t>>(0);
    return [next, scripts = std::move(scripts)](stream& s)
    { scripts[std::min(next->fetch_add(1), scripts.size() - 1)](s); };
}

fake_postgres::fake_postgres(script s) : script_(std::move(s))
{
    reserved_ = bound_socket();
    ::sockaddr_in at{};
    ::socklen_t size = sizeof at;
    checked(::getsockname(reserved_, reinterpret_cast<::sockaddr*>(&at), &size), "getsockname");
    port_ = ntohs(at.sin_port);
    listen();
}

fake_postgres::~fake_postgres()
{
    stop_listening();
    interrupt_all();
    for (auto& c : connections_)
        c->thread.join();
    ::close(reserved_);
}

// Several sockets may be bound to one port as long as none of them listens at that moment.
int fake_postgres::bound_socket() const
{
    const int fd = checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const auto at = loopback(port_);
    checked(::bind(fd, reinterpret_cast<const ::sockaddr*>(&at), sizeof at), "bind");
    return fd;
}

void fake_postgres::play(script s)
{
    const std::lock_guard lock(mutex_);
    script_ = std::move(s);
}

void fake_postgres::listen()
{
    stop_listening();
    listener_ = bound_socket();
    checked(::listen(listener_, 256), "listen");
    acceptor_ = std::thread([this, fd = listener_] { accept_all(fd); });
}

// A socket takes the listener's place, so that the number of descriptors stays.
void fake_postgres::refuse()
{
    stop_listening();
    listener_ = bound_socket();
}

// The kernel drops a SYN for which the queue of a listening socket has no room.
void fake_postgres::ignore()
{
    stop_listening();
    listener_ = bound_socket();
    checked(::listen(listener_, 0), "listen");
    const auto at = loopback(port_);
    for (int i = 0; i < 2; ++i)
    {
        const int fd =
            checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
        fillers_.push_back(fd);
        static_cast<void>(::connect(fd, reinterpret_cast<const ::sockaddr*>(&at), sizeof at));
    }
}

void fake_postgres::stop_listening()
{
    if (listener_ >= 0)
        ::shutdown(listener_, SHUT_RDWR);
    if (acceptor_.joinable())
        acceptor_.join();
    if (listener_ >= 0)
        ::close(listener_);
    listener_ = -1;
    for (const int fd : fillers_)
        ::close(fd);
    fillers_.clear();
}

void fake_postgres::accept_all(int fd)
{
    for (;;)
    {
        const int peer = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
        if (peer < 0)
        {
            const int error = errno;
            if (error == EMFILE)
                ::poll(nullptr, 0, 5);
            else if (error != ECONNABORTED && error != EINTR)
                return;
            continue;
        }
        const std::lock_guard lock(mutex_);
        auto& c = *connections_.emplace_back(std::make_unique<connection>(peer));
        c.thread = std::thread(
            [&c, play = script_]
            {
                play(c.peer);
                c.peer.close();
                c.done = true;
            }
        );
    }
}

void fake_postgres::interrupt_all()
{
    const std::lock_guard lock(mutex_);
    for (auto& c : connections_)
        c->peer.interrupt();
}

std::size_t fake_postgres::accepted() const
{
    const std::lock_guard lock(mutex_);
    return connections_.size();
}

std::size_t fake_postgres::open() const
{
    const std::lock_guard lock(mutex_);
    const auto playing = [](const auto& c) { return !c->done; };
    return static_cast<std::size_t>(std::ranges::count_if(connections_, playing));
}

byte_vector fake_postgres::received(std::size_t nth) const
{
    const std::lock_guard lock(mutex_);
    return nth < connections_.size() ? connections_[nth]->peer.received() : byte_vector();
}

std::size_t fake_postgres::received_size(std::size_t nth) const
{
    const std::lock_guard lock(mutex_);
    return nth < connections_.size() ? connections_[nth]->peer.received_size() : 0;
}

ending fake_postgres::ended(std::size_t nth) const
{
    const std::lock_guard lock(mutex_);
    return nth < connections_.size() ? connections_[nth]->peer.ended() : ending::none;
}

bool fake_postgres::encrypted(std::size_t nth) const
{
    const std::lock_guard lock(mutex_);
    return nth < connections_.size() && connections_[nth]->peer.encrypted();
}

std::string fake_postgres::peer_name(std::size_t nth) const
{
    const std::lock_guard lock(mutex_);
    return nth < connections_.size() ? connections_[nth]->peer.peer_name() : std::string();
}

std::size_t fake_postgres::cancel_requests() const
{
    const std::lock_guard lock(mutex_);
    const auto is_cancel = [](const auto& c) { return c->peer.received() == cancel_request(); };
    return static_cast<std::size_t>(std::ranges::count_if(connections_, is_cancel));
}

} // namespace rolegate::support
