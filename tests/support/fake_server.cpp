// SPDX-License-Identifier: PostgreSQL
#include "tests/support/fake_server.hpp"

#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
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

using ssl_context = std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)>;

ssl_context context_for(const server_tls& tls)
{
    ssl_context ctx(::SSL_CTX_new(::TLS_server_method()), ::SSL_CTX_free);
    const bool good =
        ::SSL_CTX_use_certificate_chain_file(ctx.get(), tls.cert.c_str()) == 1 &&
        ::SSL_CTX_use_PrivateKey_file(ctx.get(), tls.key.c_str(), SSL_FILETYPE_PEM) == 1;
    if (!good)
        throw std::runtime_error("cannot use " + tls.cert);
    if (!tls.client_ca.empty())
    {
        ::SSL_CTX_load_verify_locations(ctx.get(), tls.client_ca.c_str(), nullptr);
        ::SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    return ctx;
}

} // namespace

// --- one connection ----------------------------------------------------------------------------

struct transport::session
{
    explicit session(const server_tls& tls)
        : context(context_for(tls)), ssl(::SSL_new(context.get()), ::SSL_free)
    {
    }

    ssl_context context;
    std::unique_ptr<SSL, decltype(&::SSL_free)> ssl;
};

transport::transport(int fd, const server_tls& tls) : fd_(fd)
{
    const auto limit = scaled(patience);
    const ::timeval tv{limit.count() / 1000, limit.count() % 1000 * 1000};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
    if (tls.cert.empty())
        return;
    session_ = std::make_unique<session>(tls);
    ::SSL_set_fd(session_->ssl.get(), fd);
    usable_ = ::SSL_accept(session_->ssl.get()) == 1;
    if (usable_)
        return;
    // What the client has sent by now is read: its loss would reset the connection, and the alert
    // that says why would be lost as well.
    ::shutdown(fd, SHUT_WR);
    std::array<char, 4096> room;
    while (::recv(fd, room.data(), room.size(), 0) > 0)
    {
    }
}

transport::~transport()
{
    if (session_ && usable_)
        ::SSL_shutdown(session_->ssl.get());
}

std::string transport::read_some()
{
    std::array<char, 4096> room;
    if (!usable_)
        return {};
    const auto n = session_ ? ::SSL_read(session_->ssl.get(), room.data(), int(room.size()))
                            : static_cast<int>(::recv(fd_, room.data(), room.size(), 0));
    usable_ = n > 0;
    return n > 0 ? std::string(room.data(), static_cast<std::size_t>(n)) : std::string();
}

void transport::write(const std::string& data)
{
    for (std::size_t sent = 0; usable_ && sent < data.size();)
    {
        const auto* from = data.data() + sent;
        const auto left = data.size() - sent;
        const auto n = session_ ? ::SSL_write(session_->ssl.get(), from, static_cast<int>(left))
                                : static_cast<int>(::send(fd_, from, left, MSG_NOSIGNAL));
        usable_ = n > 0;
        sent += usable_ ? static_cast<std::size_t>(n) : 0;
    }
}

bool transport::stirs() const
{
    ::pollfd p{fd_, POLLIN | POLLRDHUP, 0};
    return ::poll(&p, 1, 0) != 0;
}

// --- the server --------------------------------------------------------------------------------

struct fake_server::connection
{
    int fd = -1;
    std::thread thread;
    bool done = false;
};

fake_server::fake_server(server_tls tls, handler serve)
    : tls_(std::move(tls)), serve_(std::move(serve))
{
    std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes without MSG_NOSIGNAL
    reserved_ = bound_socket();
    ::sockaddr_in at{};
    ::socklen_t size = sizeof at;
    checked(::getsockname(reserved_, reinterpret_cast<::sockaddr*>(&at), &size), "getsockname");
    port_ = ntohs(at.sin_port);
    listen();
}

fake_server::~fake_server()
{
    stop();
    ::close(reserved_);
}

// A second socket on the port, which never listens, keeps it ours while connects are refused.
int fake_server::bound_socket() const
{
    const int fd = checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port_);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    checked(::bind(fd, reinterpret_cast<const ::sockaddr*>(&at), sizeof at), "bind");
    return fd;
}

void fake_server::listen()
{
    refuse();
    listener_ = bound_socket();
    checked(::listen(listener_, 64), "listen");
    acceptor_ = std::thread([this, fd = listener_] { accept_all(fd); });
}

void fake_server::refuse()
{
    if (listener_ >= 0)
        ::shutdown(listener_, SHUT_RDWR);
    if (acceptor_.joinable())
        acceptor_.join();
    if (listener_ >= 0)
        ::close(listener_);
    listener_ = -1;
}

void fake_server::end_all()
{
    const std::lock_guard lock(mutex_);
    for (auto& c : connections_)
        if (!c->done)
            ::shutdown(c->fd, SHUT_RDWR);
}

void fake_server::stop()
{
    refuse();
    end_all();
    for (auto& c : connections_)
        if (c->thread.joinable())
            c->thread.join();
}

std::size_t fake_server::connections() const
{
    const std::lock_guard lock(mutex_);
    return connections_.size();
}

void fake_server::accept_all(int fd)
{
    for (;;)
    {
        const int peer = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
        if (peer < 0)
        {
            if (errno == ECONNABORTED || errno == EINTR)
                continue;
            return;
        }
        const std::lock_guard lock(mutex_);
        auto& c = *connections_.emplace_back(std::make_unique<connection>());
        c.fd = peer;
        c.thread = std::thread(
            [this, &c]
            {
                {
                    transport t(c.fd, tls_);
                    serve_(t);
                }
                const std::lock_guard last(mutex_);
                ::close(c.fd);
                c.done = true;
            }
        );
    }
}

} // namespace rolegate::support
