// SPDX-License-Identifier: PostgreSQL
//
// One leg of a session: a TCP or unix socket, in clear text or in TLS of ours. The relay uses the
// calls that never block, what comes before it the coroutines. Runs on the worker's thread.
#pragma once

#include "proxy/tls_stream.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include <optional>
#include <span>
#include <string>
#include <utility>

namespace rolegate::proxy
{

class transport
{
public:
    using socket = boost::asio::generic::stream_protocol::socket;
    using error_code = boost::system::error_code;
    template <class T> using awaitable = boost::asio::awaitable<T>;

    explicit transport(socket s) noexcept : socket_(std::move(s)) {}

    [[nodiscard]] socket& raw() noexcept { return socket_; }
    [[nodiscard]] bool is_open() const noexcept { return socket_.is_open(); }
    [[nodiscard]] bool encrypted() const noexcept { return tls_.has_value(); }

    // Takes what is there, at most room.size() bytes. TLS may have to write in order to read.
    [[nodiscard]] io_result receive(std::span<std::byte> room) noexcept;

    // Sends what the kernel takes at once.
    [[nodiscard]] io_result send(std::span<const std::byte> data) noexcept;

    // The other side has sent FIN or a reset, behind whatever has not been received yet.
    [[nodiscard]] bool hung_up() const noexcept;

    // ... and nothing is left but a FIN, whatever has come behind it.
    [[nodiscard]] bool said_fin() const noexcept;

    // Nothing more will be sent: close_notify, FIN.
    void finish_sending() noexcept;

    // After async_connect, with nothing under way: Asio would ask for writability from now on, and
    // be woken by it whenever it waits for something to read.
    void forget_writability(const socket::protocol_type& protocol) noexcept;

    // Whatever waits returns with operation_aborted.
    void cancel() noexcept;
    void close() noexcept;

    // TLS from here on; the other side has said that it will speak it. The context decides which
    // side we are. Empty: done; otherwise what went wrong, for the log.
    [[nodiscard]] awaitable<std::optional<std::string>> accept_tls(tls_context_ptr context);
    [[nodiscard]] awaitable<std::optional<std::string>>
    connect_tls(tls_context_ptr context, std::string host);

    // ALPN has settled on PostgreSQL's protocol.
    [[nodiscard]] bool alpn_agreed() const noexcept { return tls_ && tls_->alpn_agreed(); }

    // One byte that stays where it is; unset: the other side has ended, or is broken.
    [[nodiscard]] awaitable<std::optional<std::byte>> peek();

    // Something has come, or an error has.
    [[nodiscard]] awaitable<error_code> readable() { return ready(io_status::want_read); }

    // At least one byte, or an error; eof is asio::error::eof.
    [[nodiscard]] awaitable<std::pair<error_code, std::size_t>> read_some(std::span<std::byte> room
    );

    // All of it, or an error; the number says how many were sent.
    [[nodiscard]] awaitable<std::pair<error_code, std::size_t>>
    write(std::span<const std::byte> data);

private:
    [[nodiscard]] int descriptor() const noexcept;
    awaitable<std::optional<std::string>> shake_hands();
    awaitable<error_code> ready(io_status for_what);

    socket socket_;
    std::optional<tls_stream> tls_;
};

} // namespace rolegate::proxy
