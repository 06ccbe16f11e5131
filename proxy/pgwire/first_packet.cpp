// SPDX-License-Identifier: PostgreSQL
#include "proxy/pgwire/first_packet.hpp"

#include "proxy/pgwire/big_endian.hpp"

namespace rolegate::pgwire
{
namespace
{

// "The value is chosen to contain 1234 in the most significant 16 bits" (manual, CancelRequest):
// no protocol version will ever have these values.
constexpr std::uint32_t cancel_request_code = 80877102; // 1234.5678
constexpr std::uint32_t ssl_request_code = 80877103;    // 1234.5679
constexpr std::uint32_t gssenc_request_code = 80877104; // 1234.5680

// Length, code, process id, then the key: 4 bytes in protocol 3.0, up to 256 in 3.2.
constexpr std::uint32_t min_cancel_size = 12 + 4;
constexpr std::uint32_t max_cancel_size = 12 + 256;

constexpr bool within(std::uint32_t value, std::uint32_t low, std::size_t high) noexcept
{
    return value >= low && value <= high;
}

} // namespace

parse_status parse_first_packet_header(bytes in, first_packet_header& out) noexcept
{
    if (in.size() < first_packet_header_size)
        return parse_status::need_more;

    if (begins_tls(in.front()))
    {
        out = {first_packet::direct_tls, first_packet_header_size};
        return parse_status::complete;
    }

    const auto size = big_endian_32(in.first<4>());
    auto kind = first_packet::startup;
    bool legal = false;
    switch (big_endian_32(in.subspan<4, 4>()))
    {
    case cancel_request_code:
        kind = first_packet::cancel_request;
        legal = within(size, min_cancel_size, max_cancel_size);
        break;
    case ssl_request_code:
        kind = first_packet::ssl_request;
        legal = size == first_packet_header_size;
        break;
    case gssenc_request_code:
        kind = first_packet::gssenc_request;
        legal = size == first_packet_header_size;
        break;
    default:
        legal = within(size, first_packet_header_size, max_first_packet_size);
    }
    if (!legal)
        return parse_status::malformed;

    out = {kind, size};
    return parse_status::complete;
}

std::uint32_t startup_protocol(bytes packet) noexcept
{
    return big_endian_32(packet.subspan<4, 4>());
}

} // namespace rolegate::pgwire
