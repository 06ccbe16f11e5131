// SPDX-License-Identifier: PostgreSQL
//
// Contract: eight bytes decide, and more behind them change nothing; what is accepted keeps the
// server's limits.
#include "proxy/pgwire/first_packet.hpp"

#include "tests/fuzz/require.hpp"

using namespace rolegate::pgwire;
using rolegate::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto in = std::as_bytes(std::span(data, size));
    first_packet_header whole;
    const auto status = parse_first_packet_header(in, whole);

    for (std::size_t cut = 0; cut <= in.size() && cut <= 64; ++cut)
    {
        first_packet_header part;
        const auto part_status = parse_first_packet_header(in.first(cut), part);
        if (cut < first_packet_header_size)
        {
            require(part_status == parse_status::need_more);
            continue;
        }
        require(part_status == status && part.kind == whole.kind && part.size == whole.size);
    }

    require((status == parse_status::need_more) == (in.size() < first_packet_header_size));
    if (status != parse_status::complete)
        return 0;
    require(whole.size >= first_packet_header_size && whole.size <= max_first_packet_size);
    require((whole.kind == first_packet::direct_tls) == (in.front() == std::byte{0x16}));
    if (whole.kind == first_packet::ssl_request || whole.kind == first_packet::gssenc_request)
        require(whole.size == 8 && startup_protocol(in) >> 16 == 1234);
    if (whole.kind == first_packet::cancel_request)
        require(whole.size >= 16 && whole.size <= 268 && startup_protocol(in) >> 16 == 1234);
    return 0;
}
