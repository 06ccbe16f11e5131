// SPDX-License-Identifier: PostgreSQL
#include "tests/support/tls_peers.hpp"

#include <openssl/err.h>

#include <cerrno>
#include <fcntl.h>
#include <stdexcept>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace rolegate::support
{

const certificates& pki()
{
    static const certificates made;
    return made;
}

wire::wire(bool tiny)
{
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds_.data()) != 0)
        throw std::system_error(errno, std::generic_category(), "socketpair");
    if (!tiny)
        return;
    for (const int fd : fds_)
    {
        const int size = 1; // the kernel makes the smallest of it
        ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
}

wire::~wire()
{
    ::close(fds_[0]);
    close_theirs();
}

void wire::close_theirs()
{
    if (fds_[1] >= 0)
        ::close(fds_[1]);
    fds_[1] = -1;
}

tls_context_ptr terminating(config::tls_version version, const std::string& ca)
{
    config::listener_tls s;
    s.mode = config::tls_mode::terminate;
    s.cert = pki().for_server().cert;
    s.key = pki().for_server().key;
    s.min_version = version;
    s.ca = ca;
    return proxy::make_client_facing(s);
}

tls_context_ptr to_servers()
{
    config::server_tls_settings s;
    s.sslmode = config::sslmode::verify_full;
    s.ca = pki().ca();
    return proxy::make_server_facing(s);
}

connection::connection(bool tiny) : w(tiny)
{
    if (!shake_hands(server, client).good())
        throw std::runtime_error("no handshake: " + server.error() + ", " + client.error());
}

raw_peer::raw_peer(int fd, const SSL_METHOD* method, const prepare& p)
    : ctx_(::SSL_CTX_new(method), ::SSL_CTX_free), ssl_(nullptr, ::SSL_free)
{
    ::SSL_CTX_set_cipher_list(ctx_.get(), "DEFAULT@SECLEVEL=0");
    SSL_CTX_set_mode(
        ctx_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
    );
    SSL_CTX_set_min_proto_version(ctx_.get(), TLS1_VERSION);
    p(ctx_.get());
    ssl_.reset(::SSL_new(ctx_.get()));
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    ::SSL_set_fd(ssl_.get(), fd);
}

raw_peer raw_peer::client(int fd, const prepare& p)
{
    raw_peer peer(fd, ::TLS_client_method(), p);
    ::SSL_set_connect_state(peer.native());
    return peer;
}

raw_peer raw_peer::server(int fd, const server_tls& tls, const prepare& p)
{
    const auto with_key = [&](SSL_CTX* ctx)
    {
        if (::SSL_CTX_use_certificate_chain_file(ctx, tls.cert.c_str()) != 1 ||
            ::SSL_CTX_use_PrivateKey_file(ctx, tls.key.c_str(), SSL_FILETYPE_PEM) != 1)
            throw std::runtime_error("cannot use " + tls.cert);
        p(ctx);
    };
    raw_peer peer(fd, ::TLS_server_method(), with_key);
    ::SSL_set_accept_state(peer.native());
    return peer;
}

io_result raw_peer::result(int r, std::size_t size)
{
    if (r == 1)
        return {io_status::done, size};
    switch (::SSL_get_error(native(), r))
    {
    case SSL_ERROR_WANT_READ:
        return {io_status::want_read, 0};
    case SSL_ERROR_WANT_WRITE:
        return {io_status::want_write, 0};
    case SSL_ERROR_ZERO_RETURN:
        return {io_status::ended, 0};
    default:
        if (const char* reason = ::ERR_reason_error_string(::ERR_peek_error()))
            error_ = reason;
        return {io_status::broken, 0};
    }
}

io_result raw_peer::handshake()
{
    ::ERR_clear_error();
    return result(::SSL_do_handshake(native()), 0);
}

io_result raw_peer::read(std::span<std::byte> room)
{
    ::ERR_clear_error();
    std::size_t n = 0;
    const int r = ::SSL_read_ex(native(), room.data(), room.size(), &n);
    return result(r, n);
}

io_result raw_peer::write(std::span<const std::byte> data)
{
    ::ERR_clear_error();
    std::size_t n = 0;
    const int r = ::SSL_write_ex(native(), data.data(), data.size(), &n);
    return result(r, n);
}

} // namespace rolegate::support
