// SPDX-License-Identifier: PostgreSQL
#include "config/network.hpp"

#include "config/quote.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

namespace rolegate::config
{
namespace
{

constexpr std::string_view unix_word = "unix";

// In network byte order; of IPv4 the first four bytes.
struct binary_address
{
    int family = AF_INET;
    std::array<unsigned char, sizeof(in6_addr)> bytes{};

    [[nodiscard]] unsigned bits() const { return family == AF_INET ? 32 : 128; }
};

parsed_network refuse(std::string error)
{
    return {std::nullopt, std::move(error)};
}

std::optional<binary_address> parse_ip(std::string_view text)
{
    binary_address out;
    const std::string terminated(text);
    // inet_pton() would stop there and believe the rest away.
    if (terminated.find('\0') != terminated.npos)
        return std::nullopt;
    out.family = text.find(':') == text.npos ? AF_INET : AF_INET6;
    if (inet_pton(out.family, terminated.c_str(), out.bytes.data()) != 1)
        return std::nullopt;
    return out;
}

std::string format_ip(const binary_address& address)
{
    std::array<char, INET6_ADDRSTRLEN> out{};
    inet_ntop(address.family, address.bytes.data(), out.data(), out.size());
    return out.data();
}

// ::ffff:0:0/96. Listeners set IPV6_V6ONLY, so no client ever has such an address.
bool is_mapped_ipv4(const binary_address& address)
{
    constexpr std::array<unsigned char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return address.family == AF_INET6 &&
           std::equal(mapped.begin(), mapped.end(), address.bytes.begin());
}

binary_address first_of_network(binary_address address, unsigned prefix)
{
    for (std::size_t i = 0; i < address.bytes.size(); ++i)
    {
        const auto before = static_cast<unsigned>(i * 8);
        const unsigned kept = prefix <= before ? 0 : std::min(prefix - before, 8U);
        address.bytes[i] &= static_cast<unsigned char>(0xff00U >> kept);
    }
    return address;
}

std::optional<unsigned> parse_prefix(std::string_view text, unsigned bits)
{
    unsigned prefix = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, ec] = std::from_chars(text.data(), end, prefix);
    if (ec != std::errc() || rest != end || prefix > bits)
        return std::nullopt;
    return prefix;
}

} // namespace

parsed_network parse_network(std::string_view text)
{
    if (text == unix_word)
        return {network{std::string(unix_word), 0}, {}};
    const std::size_t slash = text.find('/');
    const auto address = parse_ip(text.substr(0, slash));
    if (!address)
        return refuse(
            "expected a network such as 10.0.0.0/8 or fd00::/8, an IP address or unix, got " +
            quoted(text)
        );
    if (is_mapped_ipv4(*address))
        return refuse("write the IPv4 network itself instead of " + quoted(text));

    const auto prefix = slash == text.npos ? address->bits()
                                           : parse_prefix(text.substr(slash + 1), address->bits());
    if (!prefix)
        return refuse(
            "expected a prefix between /0 and /" + std::to_string(address->bits()) + ", got " +
            quoted(text)
        );
    const network out{format_ip(first_of_network(*address, *prefix)), *prefix};
    if (out.address != format_ip(*address))
        return refuse(
            quoted(text) + " has bits set behind its prefix, did you mean " +
            quoted(format_network(out)) + "?"
        );
    return {out, {}};
}

std::string format_network(const network& net)
{
    return net.address == unix_word ? net.address : net.address + "/" + std::to_string(net.prefix);
}

} // namespace rolegate::config
