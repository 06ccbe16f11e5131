// SPDX-License-Identifier: PostgreSQL
//
// Where messages begin and end in the stream of one side: Byte1 type, Int32 length (counts itself,
// not the type). Knows no message but those that ask for ReadyForQuery, and that one. Whole
// messages are skipped by their length; of a large one only the remaining bytes are counted,
// nothing is stored.
//
// Pure. Safe on hostile input: never allocates, never throws.
#pragma once

#include "proxy/pgwire/first_packet.hpp"

#include <utility>

namespace rolegate::pgwire
{

class frame_tracker
{
public:
    enum class side : std::uint8_t
    {
        server,
        client,
    };

    explicit frame_tracker(side whose = side::server) noexcept : side_(whose) {}

    // Any cut of the stream gives the same state at its end.
    void feed(bytes in) noexcept;

    // Between two messages: an ErrorResponse may be inserted here.
    [[nodiscard]] bool at_boundary() const noexcept
    {
        return !lost_ && header_cut_ == 0 && body_left_ == 0;
    }

    // The last whole message was ReadyForQuery with this status: 'I' idle, 'T' in a transaction,
    // 'E' in a failed one. 0: it was another message, or none has come yet.
    [[nodiscard]] char ready_status() const noexcept { return at_boundary() ? ready_ : '\0'; }

    // How many have begun: of a server ReadyForQuery, of a client Query, FunctionCall and Sync,
    // each of which is answered with one (but not a Sync within COPY). Wraps around.
    [[nodiscard]] std::uint32_t counted() const noexcept { return seen_.counted; }

    // A client's Parse, Bind, Describe, Execute or Close that no Sync has followed yet: the server
    // may work on it, and says nothing that would be counted.
    [[nodiscard]] bool unsynced() const noexcept { return side_ == side::client && seen_.open; }

    // How many COPY FROM STDIN of a server have come to their ReadyForQuery. Wraps around.
    [[nodiscard]] std::uint32_t copies_ended() const noexcept { return seen_.copies_ended; }

    // Syncs of a client between its last command and its last CopyDone or CopyFail, each told once:
    // a server that took in COPY data meanwhile has not answered them.
    [[nodiscard]] std::uint32_t take_ignorable() noexcept
    {
        return std::exchange(seen_.ignorable, std::uint16_t{0});
    }

    // A length below 4 was seen: this is no PostgreSQL stream, and never will be again.
    [[nodiscard]] bool lost() const noexcept { return lost_; }

    // Bytes of the unfinished message that have come, its header included; 0 at a boundary, and
    // when lost.
    [[nodiscard]] std::size_t into_message() const noexcept
    {
        return body_left_ == 0 ? header_cut_ : header_size + (body_size_ - body_left_);
    }

    // Bytes until the unfinished message ends; within its header: until that does, for how long
    // the body is stands at its end. 0 at a boundary, and when lost.
    [[nodiscard]] std::size_t message_left() const noexcept
    {
        return header_cut_ == 0 ? body_left_ : header_size - header_cut_;
    }

private:
    static constexpr std::size_t header_size = 5; // type and length

    // What the types of the messages tell.
    struct conversation
    {
        void see(side whose, std::byte type) noexcept;

        std::uint32_t counted = 0;
        std::uint16_t copies_ended = 0;
        std::uint16_t syncs = 0; // since the client's last command
        std::uint16_t ignorable = 0;
        bool open = false; // a client owes a Sync, a server has asked for COPY data
    };

    bytes continue_header(bytes in) noexcept;
    bytes continue_body(bytes in) noexcept;
    bytes skip_whole(bytes in) noexcept;
    void keep_cut(bytes in) noexcept;
    void begin_body(const std::byte* header) noexcept;

    conversation seen_;
    std::uint32_t body_left_ = 0; // bytes of the current body still to come
    std::uint32_t body_size_ = 0; // of the message that the last cut left open
    std::uint8_t header_cut_ = 0; // bytes of a header that arrived in pieces, 0..4
    bool in_ready_ = false;       // the current body is ReadyForQuery's
    bool lost_ = false;
    side side_;
    char ready_ = '\0';
    std::byte header_[header_size] = {};
};

} // namespace rolegate::pgwire
