// SPDX-License-Identifier: PostgreSQL
//
// Two ends of a TLS connection in one thread: nobody waits, each is called again until both have
// said their last word.
#pragma once

#include "proxy/tls_stream.hpp"
#include "tests/support/bytes.hpp"
#include "tests/support/certificates.hpp"

#include <openssl/ssl.h>

#include <array>
#include <functional>
#include <memory>
#include <string>

namespace rolegate::support
{

using proxy::io_result;
using proxy::io_status;
using proxy::tls_context_ptr;
using proxy::tls_stream;

// Made once: key generation takes its time.
[[nodiscard]] const certificates& pki();

// A socket pair in the kernel.
class wire
{
public:
    explicit wire(bool tiny = false); // tiny: less than one record of TLS fits
    ~wire();
    wire(const wire&) = delete;
    wire& operator=(const wire&) = delete;

    int ours() const { return fds_[0]; }
    int theirs() const { return fds_[1]; }
    void close_theirs();

private:
    std::array<int, 2> fds_{-1, -1};
};

// A peer that does what tls_stream never does.
class raw_peer
{
public:
    using prepare = std::function<void(SSL_CTX*)>;

    static raw_peer client(
        int fd, const prepare& p = [](SSL_CTX*) {}
    );
    static raw_peer server(
        int fd, const server_tls& tls, const prepare& p = [](SSL_CTX*) {}
    );

    io_result handshake();
    io_result read(std::span<std::byte> room);
    io_result write(std::span<const std::byte> data);
    [[nodiscard]] const std::string& error() const { return error_; }
    [[nodiscard]] SSL* native() const { return ssl_.get(); }

private:
    raw_peer(int fd, const SSL_METHOD* method, const prepare& p);
    io_result result(int r, std::size_t size);

    std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)> ctx_;
    std::unique_ptr<SSL, decltype(&::SSL_free)> ssl_;
    std::string error_;
};

[[nodiscard]] inline bool is_final(io_status s)
{
    return s == io_status::done || s == io_status::ended || s == io_status::broken;
}

struct statuses
{
    io_status ours;
    io_status theirs;

    [[nodiscard]] bool good() const { return ours == io_status::done && theirs == io_status::done; }
};

// A handshake needs a handful of turns; one that goes on for ever is an error.
template <class Ours, class Theirs> [[nodiscard]] statuses shake_hands(Ours& ours, Theirs& theirs)
{
    statuses s{io_status::want_read, io_status::want_read};
    for (int turn = 0; turn < 1000 && !(is_final(s.ours) && is_final(s.theirs)); ++turn)
    {
        if (!is_final(s.ours))
            s.ours = ours.handshake().status;
        if (!is_final(s.theirs))
            s.theirs = theirs.handshake().status;
    }
    return s;
}

// What one read() gives, and what it leaves: for messages that fit in a record.
template <class Stream> [[nodiscard]] std::string read_text(Stream& s)
{
    std::array<std::byte, 1024> room;
    const auto r = s.read(room);
    std::string text(r.size, '\0');
    for (std::size_t i = 0; i < r.size; ++i)
        text[i] = static_cast<char>(room[i]);
    return text;
}

template <class Stream> [[nodiscard]] io_status status_of_read(Stream& s)
{
    std::array<std::byte, 1024> room;
    return s.read(room).status;
}

// Contexts for the certificate of 127.0.0.1; `ca`: of the clients.
[[nodiscard]] tls_context_ptr
terminating(config::tls_version version = config::tls_version::tls_1_2, const std::string& ca = {});
[[nodiscard]] tls_context_ptr to_servers();

// Us on both ends, with the handshake behind us.
struct connection
{
    explicit connection(bool tiny = false);

    wire w;
    tls_stream server = tls_stream::accept(terminating(), w.ours());
    tls_stream client = tls_stream::connect(to_servers(), w.theirs(), "127.0.0.1");
};

// Both ways, once.
template <class Ours, class Theirs> [[nodiscard]] bool talk(Ours& ours, Theirs& theirs)
{
    return ours.write(bytes_of("ping")).size == 4 && read_text(theirs) == "ping" &&
           theirs.write(bytes_of("pong")).size == 4 && read_text(ours) == "pong";
}

} // namespace rolegate::support
