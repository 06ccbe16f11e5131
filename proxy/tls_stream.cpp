// SPDX-License-Identifier: PostgreSQL
#include "proxy/tls_stream.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <utility>

namespace rolegate::proxy
{

struct tls_stream::socket
{
    // Of a BIO, OpenSSL's end of a socket. Its own socket BIO calls write(), which raises SIGPIPE,
    // and depends on the socket's mode.
    static int receive(BIO* bio, char* room, int size);
    static int send(BIO* bio, const char* data, int size);
    static long control(BIO* bio, int command, long, void*);
    static const BIO_METHOD* method();

    int fd;
    std::string host;     // tls_context.cpp compares it with the certificate
    int error = 0;        // errno of what broke
    bool drained = false; // the last recv has taken all there was
};

// Macros of OpenSSL that cast in C's way are written out here and below.
int tls_stream::socket::receive(BIO* bio, char* room, int size)
{
    auto& s = *static_cast<socket*>(::BIO_get_data(bio));
    ::BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    for (;;)
    {
        const auto n = ::recv(s.fd, room, static_cast<std::size_t>(size), MSG_DONTWAIT);
        s.drained = n < size;
        if (n > 0)
            return static_cast<int>(n);
        if (n == 0)
        {
            ::BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
            return 0;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            ::BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
        else
            s.error = errno;
        return -1;
    }
}

int tls_stream::socket::send(BIO* bio, const char* data, int size)
{
    auto& s = *static_cast<socket*>(::BIO_get_data(bio));
    ::BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    for (;;)
    {
        const auto n =
            ::send(s.fd, data, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0)
            return static_cast<int>(n);
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            ::BIO_set_flags(bio, BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY);
        else
            s.error = errno;
        return -1;
    }
}

long tls_stream::socket::control(BIO* bio, int command, long, void*)
{
    switch (command)
    {
    case BIO_CTRL_EOF:
        return ::BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    case BIO_CTRL_FLUSH: // nothing is kept here
        return 1;
    default:
        return 0;
    }
}

const BIO_METHOD* tls_stream::socket::method()
{
    static const auto made = []
    {
        std::unique_ptr<BIO_METHOD, decltype(&::BIO_meth_free)> m(
            ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "rolegate socket"),
            ::BIO_meth_free
        );
        if (!m || ::BIO_meth_set_read(m.get(), receive) != 1 ||
            ::BIO_meth_set_write(m.get(), send) != 1 || ::BIO_meth_set_ctrl(m.get(), control) != 1)
            throw std::runtime_error("TLS: out of memory");
        return m;
    }();
    return made.get();
}

void tls_stream::deleter::operator()(ssl_st* ssl) const noexcept
{
    ::SSL_free(ssl);
}

tls_stream::tls_stream(const tls_context_ptr& context, int fd, std::string host)
    : socket_(std::make_unique<socket>(socket{fd, std::move(host)})),
      ssl_(::SSL_new(context->native()))
{
    std::unique_ptr<BIO, decltype(&::BIO_free)> bio(::BIO_new(socket::method()), ::BIO_free);
    if (!ssl_ || !bio || ::SSL_set_ex_data(ssl_.get(), 0, &socket_->host) != 1)
        throw std::runtime_error("TLS: " + openssl_reason(::ERR_get_error()));
    ::BIO_set_data(bio.get(), socket_.get());
    ::BIO_set_init(bio.get(), 1);
    ::SSL_set_bio(ssl_.get(), bio.get(), bio.get());
    static_cast<void>(bio.release());
}

tls_stream::~tls_stream() = default;
tls_stream::tls_stream(tls_stream&& other) noexcept = default;

tls_stream& tls_stream::operator=(tls_stream&& other) noexcept
{
    // The old SSL before the old socket.
    ssl_ = std::move(other.ssl_);
    socket_ = std::move(other.socket_);
    reason_ = other.reason_;
    broken_ = other.broken_;
    stirs_ = other.stirs_;
    dry_ = other.dry_;
    return *this;
}

tls_stream tls_stream::accept(const tls_context_ptr& context, int fd)
{
    tls_stream s(context, fd, {});
    ::SSL_set_accept_state(s.ssl_.get());
    return s;
}

tls_stream tls_stream::connect(const tls_context_ptr& context, int fd, const std::string& host)
{
    tls_stream s(context, fd, host);
    ::SSL_set_connect_state(s.ssl_.get());
    // SNI is for names (RFC 6066).
    if (host.empty() || host.find(':') != host.npos || is_address(host))
        return s;
    auto* name = s.socket_->host.data();
    const long good =
        ::SSL_ctrl(s.ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name);
    if (good != 1) // more than 255 bytes
        throw std::runtime_error("TLS: " + openssl_reason(::ERR_get_error()));
    return s;
}

io_result tls_stream::handshake() noexcept
{
    if (broken_)
        return {io_status::broken, 0};
    ::ERR_clear_error();
    const int r = ::SSL_do_handshake(ssl_.get());
    return {r == 1 ? io_status::done : why(r), 0};
}

io_result tls_stream::read_record(std::span<std::byte> room) noexcept
{
    if (broken_)
        return {io_status::broken, 0};
    ::ERR_clear_error();
    std::size_t n = 0;
    const int r = ::SSL_read_ex(ssl_.get(), room.data(), room.size(), &n);
    if (r == 1)
        return {io_status::done, n};
    return {why(r), 0};
}

// OpenSSL hands out one record at a time, 16 KiB at most, and is not asked for one that cannot be
// there. The end and what breaks a stream are told again in the next call.
io_result tls_stream::read(std::span<std::byte> room) noexcept
{
    std::size_t size = 0;
    stirs_ = dry_ = false;
    while (size < room.size() && !dry_)
    {
        const auto r = read_record(room.subspan(size));
        size += r.size;
        if (r.status == io_status::done)
        {
            dry_ = socket_->drained && ::SSL_has_pending(ssl_.get()) == 0;
            continue;
        }
        dry_ = true;
        if (size == 0)
            return r;
        stirs_ = r.status != io_status::want_read;
    }
    return {io_status::done, size};
}

// OpenSSL sends the answer to a key update of TLS 1.3 before the next bytes of ours. Once it is
// half sent, SSL_write() refuses fewer bytes than the answer has ("bad length"): it is finished
// first.
bool tls_stream::finish_key_update(io_status& status) noexcept
{
    if (::SSL_in_init(ssl_.get()) == 0)
        return true;
    status = handshake().status;
    return status == io_status::done;
}

// One record at a time as well.
io_result tls_stream::write(std::span<const std::byte> data) noexcept
{
    std::size_t size = 0;
    auto status = broken_ ? io_status::broken : io_status::done;
    while (size < data.size() && !broken_ && finish_key_update(status))
    {
        ::ERR_clear_error();
        std::size_t n = 0;
        const auto rest = data.subspan(size);
        const int r = ::SSL_write_ex(ssl_.get(), rest.data(), rest.size(), &n);
        if (r != 1)
        {
            status = why(r);
            break;
        }
        size += n;
    }
    if (status == io_status::broken || size == 0)
        return {status, 0};
    return {io_status::done, size};
}

io_result tls_stream::shut_down() noexcept
{
    if (broken_)
        return {io_status::broken, 0};
    if (::SSL_is_init_finished(ssl_.get()) != 1)
        return {io_status::done, 0};
    ::ERR_clear_error();
    const int r = ::SSL_shutdown(ssl_.get());
    // 0: sent; that of the other side has not come yet.
    return {r >= 0 ? io_status::done : why(r), 0};
}

io_status tls_stream::why(int result) noexcept
{
    const int error = ::SSL_get_error(ssl_.get(), result);
    switch (error)
    {
    case SSL_ERROR_WANT_READ:
        return io_status::want_read;
    case SSL_ERROR_WANT_WRITE:
        return io_status::want_write;
    case SSL_ERROR_ZERO_RETURN:
        return io_status::ended;
    default:
        broken_ = true;
        reason_ = error == SSL_ERROR_SSL ? ::ERR_get_error() : 0;
        ::ERR_clear_error();
        return io_status::broken;
    }
}

bool tls_stream::has_buffered() const noexcept
{
    // Behind a filled room it may be half a record; the next read() finds out.
    return stirs_ || (!dry_ && ::SSL_has_pending(ssl_.get()) == 1);
}

std::string tls_stream::error() const
{
    if (!broken_)
        return {};
    if (reason_ == 0)
        return socket_->error != 0 ? std::generic_category().message(socket_->error) : "broken off";
    auto text = openssl_reason(reason_);
    if (ERR_GET_LIB(reason_) == ERR_LIB_SSL &&
        ERR_GET_REASON(reason_) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        text += std::string(": ") +
                ::X509_verify_cert_error_string(::SSL_get_verify_result(ssl_.get()));
    return text;
}

bool tls_stream::alpn_agreed() const noexcept
{
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    ::SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    const std::string_view wanted = alpn_name;
    return std::equal(wanted.begin(), wanted.end(), name, name + size);
}

std::string tls_stream::version() const
{
    return ::SSL_get_version(ssl_.get());
}

std::string tls_stream::cipher() const
{
    return ::SSL_CIPHER_get_name(::SSL_get_current_cipher(ssl_.get()));
}

} // namespace rolegate::proxy
