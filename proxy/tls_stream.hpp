// SPDX-License-Identifier: PostgreSQL
//
// TLS over a socket that somebody else owns and waits for. Never blocks, whatever the socket's
// mode, and never raises SIGPIPE, whatever the process does about it. One thread at a time.
//
// After `broken` every call says broken, and error() why.
#pragma once

#include "proxy/tls_context.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

struct ssl_st; // OpenSSL's SSL

namespace rolegate::proxy
{

enum class io_status
{
    done,
    want_read,  // the same call again when the socket is readable
    want_write, // ... writable; TLS may have to write in order to read
    ended,      // close_notify or FIN: nothing more will come; what we send may still be read
    broken,
};

struct io_result
{
    io_status status;
    std::size_t size; // bytes read or taken; 0 unless done
};

class tls_stream
{
public:
    // Us the server. Throws std::runtime_error when OpenSSL is out of memory.
    [[nodiscard]] static tls_stream accept(const tls_context_ptr& context, int fd);

    // Us the client of `host`: a name or an address as the operator, Patroni or the DCS calls the
    // member, not what a name was resolved to. verify-full compares it; a name is sent as SNI.
    [[nodiscard]] static tls_stream
    connect(const tls_context_ptr& context, int fd, const std::string& host);

    ~tls_stream();
    tls_stream(tls_stream&& other) noexcept;
    tls_stream& operator=(tls_stream&& other) noexcept;
    tls_stream(const tls_stream&) = delete;
    tls_stream& operator=(const tls_stream&) = delete;

    // Again until done. A server of TLS 1.3 that refuses our certificate says so after that, in
    // the first read().
    [[nodiscard]] io_result handshake() noexcept;

    // Fills the room as far as there is something. Less than the room does not mean that the socket
    // will report what follows: ask has_buffered(). More than the room takes may have left the
    // socket already.
    [[nodiscard]] io_result read(std::span<std::byte> room) noexcept;

    // Takes what the socket takes. The rest must be offered again, as the beginning of the
    // next call and not shorter: a record of it may be half sent. It may lie elsewhere.
    [[nodiscard]] io_result write(std::span<const std::byte> data) noexcept;

    // close_notify, behind what write() has taken whole. The other direction goes on; the socket's
    // own shutdown is the caller's. Nothing to do before the handshake is done.
    [[nodiscard]] io_result shut_down() noexcept;

    // The next read() has something to say that the socket will not report: decrypted bytes, or
    // what came behind the bytes of the last read().
    [[nodiscard]] bool has_buffered() const noexcept;

    // Why it broke, printable and without secrets; "" if it has not.
    [[nodiscard]] std::string error() const;

    // ALPN has settled on PostgreSQL's protocol. Direct TLS demands it, behind SSLRequest it may be
    // missing.
    [[nodiscard]] bool alpn_agreed() const noexcept;

    [[nodiscard]] std::string version() const; // "TLSv1.3"
    [[nodiscard]] std::string cipher() const;

private:
    struct socket; // what OpenSSL's callbacks see of us; stays where it is

    struct deleter
    {
        void operator()(ssl_st* ssl) const noexcept;
    };

    tls_stream(const tls_context_ptr& context, int fd, std::string host);

    [[nodiscard]] io_result read_record(std::span<std::byte> room) noexcept;
    [[nodiscard]] bool finish_key_update(io_status& status) noexcept;
    [[nodiscard]] io_status why(int result) noexcept;

    std::unique_ptr<socket> socket_; // outlives ssl_
    std::unique_ptr<ssl_st, deleter> ssl_;
    unsigned long reason_ = 0; // OpenSSL's; 0: the system's, in *socket_
    bool broken_ = false;
    bool dry_ = false;   // the last read() has stopped for want of bytes
    bool stirs_ = false; // something that is not bytes came behind those of the last read()
};

} // namespace rolegate::proxy
