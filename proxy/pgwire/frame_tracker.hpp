// SPDX-License-Identifier: PostgreSQL
//
// Where messages begin and end in the stream from a server: Byte1 type, Int32 length (counts
// itself, not the type). Knows no message but ReadyForQuery. Whole messages are skipped by their
// length; of a large one only the remaining bytes are counted, nothing is stored.
//
// Pure. Safe on hostile input: never allocates, never throws.
#pragma once

#include "proxy/pgwire/first_packet.hpp"

namespace rolegate::pgwire
{

class frame_tracker
{
public:
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

    // A length below 4 was seen: this is no PostgreSQL stream, and never will be again.
    [[nodiscard]] bool lost() const noexcept { return lost_; }

private:
    bytes continue_header(bytes in) noexcept;
    bytes continue_body(bytes in) noexcept;
    bytes skip_whole(bytes in) noexcept;
    void keep_cut(bytes in) noexcept;
    void begin_body(const std::byte* header) noexcept;

    std::uint32_t body_left_ = 0; // bytes of the current body still to come
    std::uint8_t header_cut_ = 0; // bytes of a header that arrived in pieces, 0..4
    bool in_ready_ = false;       // the current body is ReadyForQuery's
    bool lost_ = false;
    char ready_ = '\0';
    std::byte header_[5] = {};
};

} // namespace rolegate::pgwire
