// SPDX-License-Identifier: PostgreSQL
//
// Contract: more bytes never take back an answer, reading what is wanted finds the header without
// taking a byte behind it, and the address found can be written as a header that says the same.
#include "proxy/pgwire/proxy_header.hpp"

#include "tests/fuzz/require.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <vector>

using namespace rolegate::pgwire;
using rolegate::fuzz::require;

namespace
{

bool same(const proxy_header& a, const proxy_header& b)
{
    return a.local == b.local && a.source_address == b.source_address &&
           a.source_port == b.source_port && a.size == b.size;
}

// Behind memory of exactly this size, the sanitizer sees every byte that is read too many.
parse_status parse_exactly(bytes in, proxy_header& out)
{
    const std::vector<std::byte> copy{in.begin(), in.end()};
    return parse_proxy_header(copy, out);
}

void check_prefixes(bytes in)
{
    auto before = parse_status::need_more;
    proxy_header found;
    for (std::size_t size = 0; size <= std::min(in.size(), max_proxy_header_size + 2); ++size)
    {
        // Every cut where the decisions are made; the rest of a block is only waited for.
        if (size > 300 && size + 300 < in.size() && size % 61 != 0)
            continue;
        proxy_header now;
        const auto status = parse_exactly(in.first(size), now);
        if (before != parse_status::need_more)
            require(status == before);
        require(status != parse_status::complete || now.size <= size);
        require(status != parse_status::need_more || size < max_proxy_header_size);
        if (status == parse_status::complete && before == parse_status::complete)
            require(same(now, found));
        const auto wanted = proxy_header_wanted(in.first(size));
        require((wanted > 0) == (status == parse_status::need_more));
        require(size + wanted <= std::max(size, max_proxy_header_size));
        // No header that ends here or later may be overrun, and this one is such a header.
        if (status == parse_status::complete && before == parse_status::need_more)
        {
            for (std::size_t cut = 0; cut < now.size; ++cut)
                require(cut + proxy_header_wanted(in.first(cut)) <= now.size);
            found = now;
        }
        before = status;
    }
}

void check_reading(bytes in)
{
    proxy_header whole;
    const auto expected = parse_proxy_header(in, whole);
    std::size_t taken = 0;
    for (;;)
    {
        const auto wanted = proxy_header_wanted(in.first(taken));
        if (wanted == 0 || wanted > in.size() - taken)
            break;
        taken += wanted;
    }
    proxy_header found;
    const auto status = parse_proxy_header(in.first(taken), found);
    if (expected == parse_status::complete)
        require(status == expected && taken == whole.size && same(found, whole));
    if (status == parse_status::complete)
        require(expected == status);
}

void check_address(bytes in)
{
    proxy_header h;
    if (parse_proxy_header(in, h) != parse_status::complete)
        return;
    if (h.local)
    {
        require(h.source_address.empty() && h.source_port == 0);
        return;
    }
    const bool v6 = h.source_address.find(':') != std::string::npos;
    const int family = v6 ? AF_INET6 : AF_INET;
    unsigned char binary[16] = {};
    require(inet_pton(family, h.source_address.c_str(), binary) == 1);

    const std::string line = std::string("PROXY ") + (v6 ? "TCP6 " : "TCP4 ") + h.source_address +
                             (v6 ? " ::1 " : " 127.0.0.1 ") + std::to_string(h.source_port) +
                             " 5432\r\n";
    proxy_header again;
    require(parse_proxy_header(std::as_bytes(std::span(line)), again) == parse_status::complete);
    require(again.size == line.size() && again.source_port == h.source_port);
    require(again.source_address == h.source_address);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto in = std::as_bytes(std::span(data, size));
    check_prefixes(in);
    check_reading(in);
    check_address(in);
    return 0;
}
