// SPDX-License-Identifier: PostgreSQL
#include "proxy/handshake.hpp"

#include <algorithm>

namespace rolegate::proxy
{

namespace
{

// The packet's memory grows with what has arrived: a client that announces 10 kB and sends
// nothing costs no more than this.
constexpr std::size_t grow_by = 1024;

} // namespace

handshake::handshake()
{
    begin_packet();
}

void handshake::begin_packet()
{
    next_ = next::read;
    packet_.assign(pgwire::first_packet_header_size, std::byte{});
    size_ = 0;
    header_known_ = false;
    header_ = {};
}

std::span<std::byte> handshake::room() noexcept
{
    return std::span(packet_).subspan(size_);
}

void handshake::filled(std::size_t n)
{
    size_ = std::min(size_ + n, packet_.size());
    if (size_ < packet_.size())
        return;
    if (!header_known_)
    {
        switch (pgwire::parse_first_packet_header(packet(), header_))
        {
        case pgwire::parse_status::need_more:
            return;
        case pgwire::parse_status::malformed:
            next_ = next::reject;
            return;
        case pgwire::parse_status::complete:
            header_known_ = true;
        }
    }
    if (size_ < header_.size)
        packet_.resize(std::min(header_.size, size_ + grow_by));
    else
        classify();
}

void handshake::classify()
{
    switch (header_.kind)
    {
    case pgwire::first_packet::direct_tls:
        next_ = next::opaque;
        return;
    case pgwire::first_packet::cancel_request:
        next_ = next::cancel;
        return;
    case pgwire::first_packet::ssl_request:
        next_ = asked_ssl_ ? next::startup : next::negotiate;
        asked_ssl_ = true;
        return;
    case pgwire::first_packet::gssenc_request:
        next_ = asked_gss_ ? next::startup : next::negotiate;
        asked_gss_ = true;
        return;
    case pgwire::first_packet::startup:
        break;
    }
    next_ = next::startup;
}

void handshake::answered(char byte)
{
    if (byte == 'N')
    {
        begin_packet();
        return;
    }
    next_ = next::opaque;
    size_ = 0; // the request has been put to the server already
}

// Whoever asks for encryption inside TLS is told of a version number, as PostgreSQL does it.
void handshake::secured()
{
    asked_ssl_ = true;
    asked_gss_ = true;
    begin_packet();
}

} // namespace rolegate::proxy
