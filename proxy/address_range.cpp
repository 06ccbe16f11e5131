// SPDX-License-Identifier: PostgreSQL
#include "proxy/address_range.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <string>

namespace rolegate::proxy
{
namespace
{

constexpr std::size_t mapped_prefix_bytes = 12; // ten zeros, ff, ff: RFC 4291, section 2.5.5.2
constexpr unsigned mapped_prefix_bits = 8 * mapped_prefix_bytes;

bool is_mapped(const client_address& a) noexcept
{
    return a.family == client_family::v6 && a.bytes[10] == 0xff && a.bytes[11] == 0xff &&
           std::all_of(a.bytes.begin(), a.bytes.begin() + 10, [](auto b) { return b == 0; });
}

client_address unmapped(const client_address& a) noexcept
{
    if (!is_mapped(a))
        return a;
    client_address out;
    out.family = client_family::v4;
    std::copy(a.bytes.begin() + mapped_prefix_bytes, a.bytes.end(), out.bytes.begin());
    return out;
}

unsigned bits_of(client_family family) noexcept
{
    switch (family)
    {
    case client_family::v4:
        return 32;
    case client_family::v6:
        return 128;
    case client_family::unix_socket:
        break;
    }
    return 0;
}

// As it is written, mapped or not.
std::optional<client_address> read_address(std::string_view text)
{
    client_address out;
    if (text == "unix")
        return out;
    const std::string terminated{text};
    if (terminated.find('\0') != std::string::npos) // inet_pton would stop there
        return std::nullopt;
    if (inet_pton(AF_INET, terminated.c_str(), out.bytes.data()) == 1)
    {
        out.family = client_family::v4;
        return out;
    }
    if (inet_pton(AF_INET6, terminated.c_str(), out.bytes.data()) == 1)
    {
        out.family = client_family::v6;
        return out;
    }
    return std::nullopt;
}

} // namespace

std::optional<client_address> parse_client_address(std::string_view text)
{
    const bool has_zone = text.find(':') != text.npos;
    const auto found = read_address(has_zone ? text.substr(0, text.find('%')) : text);
    return found ? std::optional(unmapped(*found)) : std::nullopt;
}

address_range::address_range(const config::network& network)
{
    const auto written = read_address(network.address);
    empty_ = !written || network.prefix > bits_of(written->family);
    if (empty_)
        return;
    first_ = *written;
    prefix_ = network.prefix;
    if (is_mapped(first_) && prefix_ >= mapped_prefix_bits)
    {
        first_ = unmapped(first_);
        prefix_ -= mapped_prefix_bits;
    }
}

bool address_range::contains(const client_address& client) const noexcept
{
    const auto address = unmapped(client);
    if (empty_ || address.family != first_.family)
        return false;
    const std::size_t whole = prefix_ / 8;
    const unsigned rest = prefix_ % 8;
    if (!std::equal(first_.bytes.begin(), first_.bytes.begin() + whole, address.bytes.begin()))
        return false;
    return rest == 0 || (first_.bytes[whole] ^ address.bytes[whole]) >> (8 - rest) == 0;
}

bool any_contains(std::span<const address_range> ranges, const client_address& client) noexcept
{
    return std::any_of(
        ranges.begin(), ranges.end(), [&](const address_range& r) { return r.contains(client); }
    );
}

} // namespace rolegate::proxy
