// SPDX-License-Identifier: PostgreSQL
//
// The key by which a session can be cancelled, as its server hands it out in BackendKeyData and as
// a client sends it back in a CancelRequest. In both: Int32 process id, then 4 bytes of key in
// protocol 3.0, up to 256 in 3.2 (manual, "Message Formats").
//
// Pure. Safe on hostile input: never allocates, never throws.
#pragma once

#include "proxy/pgwire/first_packet.hpp"

#include <array>

namespace rolegate::pgwire
{

// Process id and key together, in bytes.
inline constexpr std::size_t min_cancel_key_size = 4 + 4;
inline constexpr std::size_t max_cancel_key_size = 4 + 256;

// Looks for the first BackendKeyData in what a server sends after the StartupMessage. Wanted only
// until the session is ready and as large as the largest key: best kept on the heap, and freed
// when it is done.
class backend_key
{
public:
    // Any cut of the stream gives the same. Without effect when done.
    void feed(bytes in) noexcept;

    // The key is there; or it will never be: the server is ready for queries without having sent
    // one, or this is no PostgreSQL stream (a length below 4, a key that is too short or long).
    [[nodiscard]] bool done() const noexcept { return state_ == state::done; }

    // Process id and key, comparable with cancel_key(); empty when there is none (yet). Points
    // into this object.
    [[nodiscard]] bytes key() const noexcept { return done() ? bytes{key_}.first(size_) : bytes{}; }

private:
    enum class state : std::uint8_t
    {
        header,
        skipped_body,
        key_body,
        done,
    };

    static constexpr std::size_t header_size = 5; // Byte1 type, Int32 length

    bytes take_header(bytes in) noexcept;
    bytes take_key(bytes in) noexcept;
    void begin_body() noexcept;
    void give_up() noexcept;

    std::uint32_t left_ = 0; // bytes of the current body still to come
    std::uint16_t size_ = 0; // bytes of key_ that have arrived
    std::uint8_t cut_ = 0;   // bytes of header_ that have arrived
    state state_ = state::header;
    std::array<std::byte, header_size> header_;
    std::array<std::byte, max_cancel_key_size> key_;
};

// Process id and key of a whole CancelRequest, pointing into it; empty when it is none.
[[nodiscard]] bytes cancel_key(bytes cancel_packet) noexcept;

} // namespace rolegate::pgwire
