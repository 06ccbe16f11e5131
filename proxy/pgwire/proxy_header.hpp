// SPDX-License-Identifier: PostgreSQL
//
// The header a load balancer puts in front of a connection to say whose it is: PROXY protocol,
// versions 1 (a line of text) and 2 (binary). HAProxy's doc/proxy-protocol.txt, sections 2.1, 2.2.
//
// Pure. Safe on hostile input: never reads past `in`. A checksum among the TLVs is not looked at;
// neither is any other TLV.
#pragma once

#include "proxy/pgwire/first_packet.hpp"

#include <string>

namespace rolegate::pgwire
{

// "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"
inline constexpr std::size_t max_proxy_line_size = 107;

// Addresses (216 bytes for unix sockets) and TLVs: load balancers send less than 300 bytes.
inline constexpr std::size_t max_proxy_block_size = 1024;

// The largest header of either version: no more memory is ever needed to read one.
inline constexpr std::size_t max_proxy_header_size = 16 + max_proxy_block_size;

struct proxy_header
{
    // The sender speaks for itself (a health check) or does not know the client: the address of
    // the connection is what counts, and the fields below are empty.
    bool local = false;
    std::string source_address; // numeric, in the spelling of inet_ntop
    std::uint16_t source_port = 0;
    std::size_t size = 0; // bytes of the whole header: the client's first byte is behind them
};

// `out` is set when complete. Malformed is said at the first byte that rules a header out: a
// client that sends none at all, and then waits for us, is not kept waiting.
[[nodiscard]] parse_status parse_proxy_header(bytes in, proxy_header& out);

// How many bytes may be read behind `in` such that not one behind the header is taken: the least
// that every legal header with this beginning still has. At least 1 while parse_proxy_header()
// says need_more, and 0 otherwise.
[[nodiscard]] std::size_t proxy_header_wanted(bytes in);

} // namespace rolegate::pgwire
