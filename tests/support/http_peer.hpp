// SPDX-License-Identifier: PostgreSQL
//
// A client of the admin HTTP that says exactly what a test wants.
#pragma once

#include "tests/support/run_until.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

namespace rolegate::support
{

// A blocking client whose every wait is bounded.
class http_peer
{
public:
    http_peer() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) { REQUIRE(fd_ >= 0); }

    explicit http_peer(std::uint16_t port, const char* from = nullptr) : http_peer()
    {
        if (from)
            bind(from);
        connect(port);
    }

    ~http_peer() { close(); }

    http_peer(const http_peer&) = delete;
    http_peer& operator=(const http_peer&) = delete;

    void connect(std::uint16_t port)
    {
        const auto at = place("127.0.0.1", port);
        wait_at_most(scaled(patience));
        REQUIRE(::connect(fd_, reinterpret_cast<const ::sockaddr*>(&at), sizeof at) == 0);
    }

    void close()
    {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = -1;
    }

    void wait_at_most(std::chrono::milliseconds limit)
    {
        const ::timeval tv{limit.count() / 1000, limit.count() % 1000 * 1000};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
    }

    // A server that has given up on us may refuse to read on: no error of the test.
    void send(std::string_view text) { (void)::send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }

    void get(const std::string& path, const std::string& more = "")
    {
        send("GET " + path + " HTTP/1.1\r\nHost: x\r\n" + more + "\r\n");
    }

    // One message, by its Content-Length; what the server sent until it closed when it is cut.
    std::string read_answer()
    {
        while (!whole_answer() && read_some())
            ;
        const auto size = whole_answer().value_or(unread_.size());
        auto answer = unread_.substr(0, size);
        unread_.erase(0, size);
        return answer;
    }

    std::string read_head()
    {
        while (unread_.find("\r\n\r\n") == unread_.npos && read_some())
            ;
        return std::exchange(unread_, "");
    }

    // Everything until the server closes; a reset is as good a close as a FIN.
    std::string read_to_end()
    {
        while (read_some())
            ;
        CHECK(closed_);
        return std::exchange(unread_, "");
    }

    [[nodiscard]] bool timed_out() const { return timed_out_; }

private:
    static ::sockaddr_in place(const char* address, std::uint16_t port)
    {
        ::sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(port);
        REQUIRE(::inet_pton(AF_INET, address, &at.sin_addr) == 1);
        return at;
    }

    void bind(const char* address)
    {
        const auto at = place(address, 0);
        REQUIRE(::bind(fd_, reinterpret_cast<const ::sockaddr*>(&at), sizeof at) == 0);
    }

    bool read_some()
    {
        char chunk[4096];
        const auto n = ::recv(fd_, chunk, sizeof chunk, 0);
        timed_out_ = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        closed_ = n <= 0 && !timed_out_;
        if (n > 0)
            unread_.append(chunk, static_cast<std::size_t>(n));
        return n > 0;
    }

    [[nodiscard]] std::optional<std::size_t> whole_answer() const
    {
        constexpr std::string_view length = "Content-Length: ";
        const auto end = unread_.find("\r\n\r\n");
        const auto at = unread_.find(length);
        if (end == unread_.npos || at == unread_.npos)
            return std::nullopt;
        const auto size = end + 4 + std::stoul(unread_.substr(at + length.size()));
        return unread_.size() < size ? std::nullopt : std::optional(size);
    }

    int fd_;
    std::string unread_;
    bool closed_ = false;
    bool timed_out_ = false;
};

} // namespace rolegate::support
