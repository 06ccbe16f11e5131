// SPDX-License-Identifier: PostgreSQL
//
// One leg of a session: a TCP or unix socket, in clear text or in TLS of ours. The relay uses the
// calls that never block, what comes before it the coroutines. Runs on the worker's thread.
#pragma once

#include "proxy/event_loop.hpp"
#include "proxy/tls_stream.hpp"

#include <boost/asio/awaitable.hpp>

#include <optional>
#include <span>
#include <string>
#include <utility>

struct sockaddr;

namespace rolegate::proxy
{

class transport final : private event_loop::descriptor
{
public:
    using error_code = boost::system::error_code;
    template <class T> using awaitable = boost::asio::awaitable<T>;

    // Who is told when there is something to do, instead of a coroutine.
    class reader
    {
    public:
        // May destroy the transport.
        virtual void on_ready(transport& t, std::uint32_t events) = 0;

    protected:
        ~reader() = default;
    };

    explicit transport(event_loop& loop, unique_fd fd = {}) noexcept
        : loop_(loop), fd_(std::move(fd))
    {
    }
    ~transport();
    transport(const transport&) = delete;
    transport& operator=(const transport&) = delete;

    [[nodiscard]] int native_handle() const noexcept { return fd_.get(); }
    [[nodiscard]] bool is_open() const noexcept { return fd_.is_open(); }
    [[nodiscard]] bool encrypted() const noexcept { return tls_.has_value(); }

    // --- for the relay ---

    // `to` is told of these events as long as they last; 0: of none. No system call when nothing
    // changes. False: the kernel has no room for it.
    [[nodiscard]] bool tell(reader& to, std::uint32_t events) noexcept;

    // Takes what is there, at most room.size() bytes. TLS may have to write in order to read.
    [[nodiscard]] io_result receive(std::span<std::byte> room) noexcept;

    // Behind a receive() that has not filled its room: there is more that no event will tell of.
    [[nodiscard]] bool has_buffered() const noexcept { return tls_ && tls_->has_buffered(); }

    // Sends what the kernel takes at once.
    [[nodiscard]] io_result send(std::span<const std::byte> data) noexcept;

    // The other side has sent FIN or a reset, behind whatever has not been received yet.
    [[nodiscard]] bool hung_up() const noexcept;

    // ... and nothing is left but a FIN, whatever has come behind it.
    [[nodiscard]] bool said_fin() const noexcept;

    // Nothing more will be sent: close_notify, FIN.
    void finish_sending() noexcept;

    // The reader is told of nothing any more.
    void tell_nobody() noexcept { told_ = nullptr; }

    // Whoever waits goes on with operation_aborted, in the loop's next turn.
    void cancel() noexcept;
    void close() noexcept;

    // --- for coroutines: one at a time ---

    // Of a socket that has been opened for it: `to` is reached, or an error says why not.
    [[nodiscard]] awaitable<error_code> connect(unique_fd fd, const sockaddr* to, std::size_t size);

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
    struct start_wait;

    void on_ready(std::uint32_t events) override;
    void wait(io_status for_what, completion then);
    awaitable<std::optional<std::string>> shake_hands();
    awaitable<error_code> ready(io_status for_what);

    event_loop& loop_;
    unique_fd fd_;
    std::optional<tls_stream> tls_;
    reader* told_ = nullptr;
    completion waits_;
};

} // namespace rolegate::proxy
