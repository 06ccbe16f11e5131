// SPDX-License-Identifier: PostgreSQL
//
// What to do with the first bytes of a client. Owns no socket and no clock:
//
//   for (;;)
//       switch (h.step())
//       read:       read at most h.room().size() bytes into h.room(), then h.filled(n)
//       negotiate:  h.packet() is an SSLRequest or GSSENCRequest: put it to the server, send the
//                   server's one byte to the client, then h.answered(byte)
//       startup, opaque, cancel, reject: the end; h.packet() is what the client has sent
//
// The first packet is held back until it is whole, and not one byte behind an SSLRequest is read:
// what follows belongs to the TLS stream, or is an attack.
#pragma once

#include "proxy/errc.hpp"
#include "proxy/pgwire/first_packet.hpp"

#include <vector>

namespace rolegate::proxy
{

class handshake
{
public:
    enum class next
    {
        read,
        negotiate,
        startup, // a StartupMessage: clear text from here on
        opaque,  // TLS or GSS encryption: bytes we cannot read
        cancel,  // a CancelRequest
        reject,  // close as PostgreSQL does: without a word
    };

    handshake();

    [[nodiscard]] next step() const noexcept { return next_; }

    // Where the bytes that are wanted now go; never empty while step() is read.
    [[nodiscard]] std::span<std::byte> room() noexcept;
    void filled(std::size_t n);

    // 'S' or 'G': encrypted from here on. 'N': in clear text, the next packet is read. Anything
    // else (an ErrorResponse of an ancient server): the stream is passed on unread.
    void answered(char byte);

    // TLS is ended here: what follows is read inside it.
    void secured();

    [[nodiscard]] pgwire::bytes packet() const noexcept { return {packet_.data(), size_}; }
    [[nodiscard]] pgwire::first_packet kind() const noexcept { return header_.kind; }

private:
    void begin_packet();
    void classify();

    next next_ = next::read;
    std::vector<std::byte> packet_; // grows to the size the header announces, at most 10004 bytes
    std::size_t size_ = 0;          // bytes of packet_ that have arrived
    bool header_known_ = false;
    pgwire::first_packet_header header_;
    bool asked_ssl_ = false; // each may be asked once; a second time it is a version number,
    bool asked_gss_ = false; // and the server says so
};

} // namespace rolegate::proxy
