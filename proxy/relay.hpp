// SPDX-License-Identifier: PostgreSQL
//
// Copies bytes both ways between a client and its server until both have ended or it is stopped.
// A side that does not take its bytes stops the other from being read (back-pressure); the end of
// one side is passed on while the other goes on (half-close). Knows of PostgreSQL only where
// messages begin, and only where they can be read: in clear text, or in TLS of ours.
//
// Runs on the worker's thread. Waits for readiness and calls recv and send itself, so that no
// buffer is tied to a session that has nothing to say. As long as both sides take what they get,
// a message costs its recv and its send and nothing else.
#pragma once

#include "proxy/buffer_pool.hpp"
#include "proxy/errc.hpp"
#include "proxy/pgwire/backend_key.hpp"
#include "proxy/pgwire/frame_tracker.hpp"
#include "proxy/transport.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace rolegate::proxy
{

// Who is told. None of these calls comes from within start() or stop().
class relay_owner
{
public:
    // One side has ended; the other may still have something to say, for a while.
    virtual void on_half_closed() = 0;

    // Nothing is outstanding any more; the relay may be destroyed. errc::none: both sides ended,
    // the client first.
    virtual void on_relay_end(errc why) = 0;

    // BackendKeyData has passed: process id and secret, as in a CancelRequest.
    virtual void on_backend_key(pgwire::bytes key) = 0;

    // Asked for by tell_when_idle(): nothing of a query or a transaction is under way any more.
    virtual void on_idle() = 0;

protected:
    ~relay_owner() = default;
};

class relay final : private transport::reader, private event_loop::deferred
{
public:
    // The worker's clock for idle time: tenths of a second.
    using tick = std::uint32_t;

    relay(
        transport& client,
        transport& server,
        event_loop& loop,
        buffer_pool& buffers,
        const tick& now,
        relay_owner& owner
    ) noexcept;
    ~relay();
    relay(const relay&) = delete;
    relay& operator=(const relay&) = delete;

    // Passes on what cannot be read.
    void start_opaque();

    // PostgreSQL's messages; `answer` is what the server has said so far, and the client has got.
    void start_readable(pgwire::bytes answer);

    // Ends the relay for this reason: the server's socket is closed at once, so that nothing it
    // says from now on can reach the client. on_relay_end() follows.
    void stop(errc why);

    // The same when the message that is on its way to the client is whole; until then nothing more
    // goes to the server. The caller bounds the time, with stop().
    void stop_at_boundary(errc why);

    // on_idle() from now on, whenever a transaction has ended.
    void tell_when_idle() noexcept { tells_idle_ = true; }

    // Readable, with nothing of a query or a transaction under way.
    [[nodiscard]] bool idle() const noexcept;

    // Readable, and the server has not answered everything yet.
    [[nodiscard]] bool busy() const noexcept;

    // PostgreSQL's messages can be told apart.
    [[nodiscard]] bool readable() const noexcept { return readable_; }

    [[nodiscard]] bool server_ended() const noexcept { return from_server_.ended; }

    // When the side last sent a byte.
    [[nodiscard]] tick client_heard() const noexcept { return from_client_.heard; }
    [[nodiscard]] tick server_heard() const noexcept { return from_server_.heard; }

    // After the end: bytes from the server that the client has not taken yet, up to the last whole
    // message where that is possible.
    [[nodiscard]] std::string take_unsent();

    // After take_unsent(): may an ErrorResponse follow?
    [[nodiscard]] bool can_say_last_words() const noexcept { return can_speak_; }

    [[nodiscard]] std::uint64_t bytes_in() const noexcept { return from_client_.bytes; }
    [[nodiscard]] std::uint64_t bytes_out() const noexcept { return from_server_.bytes; }

private:
    struct flow;
    using step = void (relay::*)(flow&);

    struct flow
    {
        transport& from;
        transport& to;
        errc from_broke; // what it means when `from` breaks
        errc to_broke;
        buffer_pool::buffer parked; // holds what `to` has not taken: [begin, end)
        std::size_t begin = 0;
        std::size_t end = 0;
        std::uint64_t bytes = 0;
        tick heard = 0;
        bool ended = false;            // `from` has sent FIN and everything is passed on
        transport* waits_on = nullptr; // for `events`, then `next`
        std::uint32_t events = 0;
        bool goes_on = false; // with `next`, in the loop's next turn
        step next = nullptr;
    };

    void start();
    void wait(flow& f, transport& on, io_status for_what, step next);
    void again(flow& f, step next);
    [[nodiscard]] bool ask(transport& t) noexcept;
    void on_ready(transport& t, std::uint32_t events) override;
    void on_turn() override;
    void take(flow& f) noexcept;
    void read(flow& f);
    void write_parked(flow& f);
    [[nodiscard]] std::span<std::byte> room_for(const flow& f);
    void observe(flow& f, std::span<const std::byte> seen);
    [[nodiscard]] bool pass_on(flow& f, std::size_t size);
    [[nodiscard]] bool muted(const flow& f) const noexcept;
    [[nodiscard]] bool ends_when_idle();
    void on_eof(flow& f);
    void finish(errc why);
    [[nodiscard]] bool is_goodbye(errc why) const noexcept;

    flow from_client_;
    flow from_server_;
    event_loop& loop_;
    buffer_pool& buffers_;
    relay_owner& owner_;
    const tick& now_;
    pgwire::frame_tracker requests_{pgwire::frame_tracker::side::client};
    pgwire::frame_tracker answers_{pgwire::frame_tracker::side::server};
    std::unique_ptr<pgwire::backend_key> key_; // until it has been seen
    std::uint32_t ignored_ = 0; // Syncs within COPY, which the server does not answer
    bool readable_ = false;
    bool terminated_ = false; // the client's last message was Terminate
    bool tells_idle_ = false;
    bool ending_ = false; // stop_at_boundary()
    bool stopping_ = false;
    bool can_speak_ = false;
    errc why_ = errc::none;
};

} // namespace rolegate::proxy
