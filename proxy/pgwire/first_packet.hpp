// SPDX-License-Identifier: PostgreSQL
//
// The first packet of a connection: Int32 length (counts itself), Int32 code, payload; no type
// byte. PostgreSQL manual, "Message Formats"; limits from the server's backend_startup.c.
//
// Pure. Safe on hostile input: never allocates, never throws, never reads past `in`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rolegate::pgwire
{

using bytes = std::span<const std::byte>;

enum class parse_status
{
    complete,  // the result is set
    need_more, // not an error: call again with more bytes behind these
    malformed, // boundaries are lost for good; close the connection
};

enum class first_packet
{
    startup, // StartupMessage of any protocol version, known to us or not
    ssl_request,
    gssenc_request,
    cancel_request,
    direct_tls, // a TLS ClientHello without SSLRequest (PostgreSQL 17)
};

// Every legal first packet has at least length and code. Reading just these first means that not
// one byte behind an SSLRequest is ever taken from the socket.
inline constexpr std::size_t first_packet_header_size = 8;

// MAX_STARTUP_PACKET_LENGTH (10000) and the length word.
inline constexpr std::size_t max_first_packet_size = 10004;

// What a first packet is and how long, from its first eight bytes. For direct_tls the size is
// first_packet_header_size: what follows belongs to the TLS stream.
//   need_more: fewer than eight bytes; malformed: a length or a code with a length that the server
//   would refuse.
struct first_packet_header
{
    first_packet kind = first_packet::startup;
    std::size_t size = 0; // of the whole packet, length word included: 8..10004
};

[[nodiscard]] parse_status parse_first_packet_header(bytes in, first_packet_header& out) noexcept;

// First byte of a TLS handshake record. As the first byte of a length it would mean more than
// 369 MB, so the two cannot be mistaken for each other.
[[nodiscard]] constexpr bool begins_tls(std::byte first) noexcept
{
    return first == std::byte{0x16};
}

// Protocol code of a whole StartupMessage, e.g. 0x00030000. `packet` has at least eight bytes.
[[nodiscard]] std::uint32_t startup_protocol(bytes packet) noexcept;

} // namespace rolegate::pgwire
