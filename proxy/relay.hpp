// SPDX-License-Identifier: PostgreSQL
//
// Copies bytes both ways between a client and its server until both have ended or it is stopped.
// A side that does not take its bytes stops the other from being read (back-pressure); the end of
// one side is passed on while the other goes on (half-close). Knows of PostgreSQL only where
// messages from the server begin, and only in clear text.
//
// Runs on the worker's thread. Waits for readiness and calls recv and send itself, so that no
// buffer is tied to a session that has nothing to say.
#pragma once

#include "proxy/buffer_pool.hpp"
#include "proxy/errc.hpp"
#include "proxy/pgwire/frame_tracker.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <string>

namespace rolegate::proxy
{

// Who is told. Both calls may come from within start() or stop()'s caller's next turn of the loop,
// never from within stop() itself.
class relay_owner
{
public:
    // One side has ended; the other may still have something to say, for a while.
    virtual void on_half_closed() = 0;

    // Nothing is outstanding any more; the relay may be destroyed. errc::none: both sides ended,
    // the client first.
    virtual void on_relay_end(errc why) = 0;

protected:
    ~relay_owner() = default;
};

class relay
{
public:
    using socket = boost::asio::ip::tcp::socket;

    relay(socket& client, socket& server, buffer_pool& buffers, relay_owner& owner) noexcept;
    ~relay();
    relay(const relay&) = delete;
    relay& operator=(const relay&) = delete;

    // `tracker` has seen what the server has sent so far; nullptr: an encrypted stream.
    void start(const pgwire::frame_tracker* tracker);

    // Ends the relay for this reason: the server's socket is closed at once, so that nothing it
    // says from now on can reach the client. on_relay_end() follows.
    void stop(errc why);

    // In clear text, with nothing of a query or a transaction under way.
    [[nodiscard]] bool idle() const noexcept;

    // After the end: may an ErrorResponse follow what has been sent and what is still unsent?
    [[nodiscard]] bool can_say_last_words() const noexcept
    {
        return clear_ && tracker_.at_boundary();
    }

    // After the end: bytes from the server that the client has not taken yet.
    [[nodiscard]] std::string take_unsent();

    [[nodiscard]] std::uint64_t bytes_in() const noexcept { return from_client_.bytes; }
    [[nodiscard]] std::uint64_t bytes_out() const noexcept { return from_server_.bytes; }

private:
    struct flow
    {
        socket& from;
        socket& to;
        errc from_broke; // what it means when `from` breaks
        errc to_broke;
        buffer_pool::buffer parked; // holds what `to` has not taken: [begin, end)
        std::size_t begin = 0;
        std::size_t end = 0;
        std::uint64_t bytes = 0;
        bool ended = false; // `from` has sent FIN and everything is passed on
    };

    void wait_readable(flow& f);
    void wait(flow& f, socket& on, socket::wait_type kind, void (relay::*then)(flow&));
    void wait_writable(flow& f);
    void on_readable(flow& f);
    void on_writable(flow& f);
    void observe(flow& f, std::span<const std::byte> seen);
    [[nodiscard]] bool pass_on(flow& f, std::size_t size);
    void on_eof(flow& f);
    void waited();
    void finish(errc why);

    flow from_client_;
    flow from_server_;
    buffer_pool& buffers_;
    relay_owner& owner_;
    pgwire::frame_tracker tracker_;
    bool clear_ = false;
    bool busy_ = true;        // the client has spoken since the server was last ready
    bool terminated_ = false; // the client's last message was Terminate
    bool stopping_ = false;
    errc why_ = errc::none;
    int waits_ = 0; // handlers that will still be called: `this` must live until then
};

} // namespace rolegate::proxy
