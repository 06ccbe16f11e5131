// SPDX-License-Identifier: PostgreSQL
#include "proxy/pgwire/proxy_header.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace rolegate::pgwire
{
namespace
{

constexpr std::string_view v1_start = "PROXY ";
constexpr std::string_view tcp4 = "TCP4 ";
constexpr std::string_view tcp6 = "TCP6 ";
constexpr std::string_view unknown = "UNKNOWN";
constexpr std::size_t min_line_size = 15; // "PROXY UNKNOWN\r\n"
constexpr std::string_view end_of_line = "\r\n";

constexpr std::string_view v2_start{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t v2_fixed_size = 16; // signature, version and command, family, length

std::string_view text_of(bytes in) noexcept
{
    return {reinterpret_cast<const char*>(in.data()), in.size()};
}

std::uint8_t byte_at(std::string_view text, std::size_t at) noexcept
{
    return static_cast<std::uint8_t>(text[at]);
}

std::size_t int16_at(std::string_view text, std::size_t at) noexcept
{
    return static_cast<std::size_t>(byte_at(text, at) << 8 | byte_at(text, at + 1));
}

// As far as both go, they are the same.
bool agree(std::string_view a, std::string_view b) noexcept
{
    const auto n = std::min(a.size(), b.size());
    return a.substr(0, n) == b.substr(0, n);
}

std::string spelled(int family, const void* address)
{
    std::array<char, INET6_ADDRSTRLEN> out{};
    const char* text = inet_ntop(family, address, out.data(), out.size());
    return text == nullptr ? std::string{} : std::string{text};
}

// "" when `text` is no address of this family. `text` has no zero byte in it.
std::string canonical(int family, std::string_view text)
{
    std::array<char, INET6_ADDRSTRLEN> terminated{};
    std::array<unsigned char, sizeof(in6_addr)> binary{};
    if (text.size() >= terminated.size())
        return {};
    std::copy(text.begin(), text.end(), terminated.begin());
    if (inet_pton(family, terminated.data(), binary.data()) != 1)
        return {};
    return spelled(family, binary.data());
}

// Decimal, without a leading zero: some would read it as octal.
bool read_port(std::string_view text, std::uint16_t& out) noexcept
{
    const bool digits =
        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (text.empty() || !digits || (text.size() > 1 && text.front() == '0'))
        return false;
    return std::from_chars(text.data(), text.data() + text.size(), out).ec == std::errc{};
}

// --- version 1 -----------------------------------------------------------------------------------

// Source, destination, source port, destination port.
using line_fields = std::array<std::string_view, 4>;

// Exactly one space stands between two fields: with more of them one field comes out empty.
bool split(std::string_view text, line_fields& out) noexcept
{
    for (std::size_t i = 0; i < out.size(); ++i)
    {
        const auto space = text.find(' ');
        const bool last = i + 1 == out.size();
        if ((space == text.npos) != last)
            return false;
        out[i] = text.substr(0, space);
        text.remove_prefix(last ? text.size() : space + 1);
    }
    return true;
}

// What stands between "TCPx " and the end of the line.
parse_status parse_addresses(int family, std::string_view text, proxy_header& out)
{
    line_fields fields;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    if (!split(text, fields) || !read_port(fields[2], source_port) ||
        !read_port(fields[3], destination_port) || canonical(family, fields[1]).empty())
        return parse_status::malformed;
    auto source = canonical(family, fields[0]);
    if (source.empty())
        return parse_status::malformed;
    out = {false, std::move(source), source_port, 0};
    return parse_status::complete;
}

// False: no legal line begins like this. Looks at a line whose end has not come yet.
bool may_become_line(std::string_view line) noexcept
{
    const auto rest = line.substr(v1_start.size());
    if (agree(rest, tcp4) || agree(rest, tcp6))
    {
        // Letters of the protocol's name are no digits, but behind it nothing else may stand.
        const auto body = rest.substr(std::min(rest.size(), tcp4.size()));
        const auto odd = body.find_first_not_of("0123456789abcdefABCDEF.: ");
        return odd == body.npos || (odd + 1 == body.size() && body[odd] == '\r');
    }
    if (!agree(rest, unknown))
        return false;
    return rest.size() <= unknown.size() || rest[unknown.size()] == ' ' ||
           rest[unknown.size()] == '\r';
}

parse_status parse_line(std::string_view text, proxy_header& out)
{
    const auto line = text.substr(0, max_proxy_line_size);
    const auto end = line.find(end_of_line);
    if (!agree(line, v1_start))
        return parse_status::malformed;
    if (end == line.npos)
    {
        const bool may_be = line.size() < v1_start.size() || may_become_line(line);
        return may_be && line.size() < max_proxy_line_size ? parse_status::need_more
                                                           : parse_status::malformed;
    }
    // The CR is kept: the check for one that ends an unfinished line is the same.
    if (end < v1_start.size() || !may_become_line(line.substr(0, end + 1)))
        return parse_status::malformed;

    const auto rest = line.substr(v1_start.size(), end - v1_start.size());
    auto status = parse_status::malformed;
    if (rest.starts_with(tcp4))
        status = parse_addresses(AF_INET, rest.substr(tcp4.size()), out);
    else if (rest.starts_with(tcp6))
        status = parse_addresses(AF_INET6, rest.substr(tcp6.size()), out);
    else if (rest.starts_with(unknown))
    {
        // "The receiver must ignore anything presented before the CRLF is found."
        out = {true, {}, 0, 0};
        status = parse_status::complete;
    }
    if (status == parse_status::complete)
        out.size = end + end_of_line.size();
    return status;
}

// `body` stands behind "TCPx " and its line has not ended.
std::size_t least_of_addresses(std::string_view body, std::size_t least_address) noexcept
{
    const std::array<std::size_t, 4> least{least_address, least_address, 1, 1};
    const auto spaces = static_cast<std::size_t>(std::count(body.begin(), body.end(), ' '));
    const auto current = std::min(spaces, least.size() - 1);
    std::size_t sum = end_of_line.size();
    if (body.empty() || body.back() == ' ')
        sum += least[current];
    for (auto next = current + 1; next < least.size(); ++next)
        sum += 1 + least[next];
    return sum;
}

// What the shortest legal line with this beginning still has.
std::size_t least_of_line(std::string_view line) noexcept
{
    const auto at_least = line.size() < min_line_size ? min_line_size - line.size() : 0;
    if (line.size() < v1_start.size())
        return at_least;
    if (line.back() == '\r')
        return std::max<std::size_t>(at_least, 1);
    const auto rest = line.substr(v1_start.size());
    std::size_t wanted = end_of_line.size();
    if (rest.starts_with(tcp4))
        wanted = least_of_addresses(rest.substr(tcp4.size()), std::string_view{"0.0.0.0"}.size());
    else if (rest.starts_with(tcp6))
        wanted = least_of_addresses(rest.substr(tcp6.size()), std::string_view{"::"}.size());
    return std::min(std::max(at_least, wanted), max_proxy_line_size - line.size());
}

// --- version 2 -----------------------------------------------------------------------------------

enum class transport : std::uint8_t
{
    unspecified = 0x00,
    tcp_over_ipv4 = 0x11,
    tcp_over_ipv6 = 0x21,
    unix_stream = 0x31,
};

constexpr std::uint8_t command_local = 0x20; // version 2 in the upper half
constexpr std::uint8_t command_proxy = 0x21;

// The source port stands behind both addresses. TLVs may follow the second port.
constexpr std::size_t tcp4_port_at = 4 + 4;
constexpr std::size_t tcp6_port_at = 16 + 16;
constexpr std::size_t tcp4_size = tcp4_port_at + 2 + 2;
constexpr std::size_t tcp6_size = tcp6_port_at + 2 + 2;
constexpr std::size_t unix_size = 108 + 108; // two paths

// The first 16 bytes, or as many of them as there are.
bool may_become_block(std::string_view in) noexcept
{
    if (!agree(in, v2_start))
        return false;
    if (in.size() > 12 && byte_at(in, 12) != command_local && byte_at(in, 12) != command_proxy)
        return false;
    if (in.size() < 14)
        return true;

    std::size_t least = 0;
    // A LOCAL header's family is to be ignored, whatever it is.
    if (byte_at(in, 12) == command_proxy)
    {
        switch (static_cast<transport>(byte_at(in, 13)))
        {
        case transport::unspecified:
            break;
        case transport::tcp_over_ipv4:
            least = tcp4_size;
            break;
        case transport::tcp_over_ipv6:
            least = tcp6_size;
            break;
        case transport::unix_stream:
            least = unix_size;
            break;
        default:
            return false;
        }
    }
    if (in.size() < v2_fixed_size)
        return true;
    const auto length = int16_at(in, 14);
    return length >= least && length <= max_proxy_block_size;
}

std::size_t block_header_size(std::string_view in) noexcept
{
    return in.size() < v2_fixed_size ? v2_fixed_size : v2_fixed_size + int16_at(in, 14);
}

parse_status parse_block(std::string_view in, proxy_header& out)
{
    if (!may_become_block(in))
        return parse_status::malformed;
    const auto size = block_header_size(in);
    if (in.size() < v2_fixed_size || in.size() < size)
        return parse_status::need_more;

    const auto kind = static_cast<transport>(byte_at(in, 13));
    const auto block = in.substr(v2_fixed_size, size - v2_fixed_size);
    out = {true, {}, 0, size};
    if (byte_at(in, 12) == command_local)
        return parse_status::complete;
    if (kind == transport::tcp_over_ipv4)
        out = {
            false,
            spelled(AF_INET, block.data()),
            static_cast<std::uint16_t>(int16_at(block, tcp4_port_at)),
            size};
    else if (kind == transport::tcp_over_ipv6)
        out = {
            false,
            spelled(AF_INET6, block.data()),
            static_cast<std::uint16_t>(int16_at(block, tcp6_port_at)),
            size};
    return parse_status::complete;
}

} // namespace

parse_status parse_proxy_header(bytes in, proxy_header& out)
{
    if (in.empty())
        return parse_status::need_more;
    const auto text = text_of(in);
    return text.front() == v2_start.front() ? parse_block(text, out) : parse_line(text, out);
}

std::size_t proxy_header_wanted(bytes in)
{
    if (in.empty())
        return min_line_size; // the shorter of the two shortest
    proxy_header ignored;
    if (parse_proxy_header(in, ignored) != parse_status::need_more)
        return 0;
    const auto text = text_of(in);
    if (text.front() == v2_start.front())
        return block_header_size(text) - text.size();
    return least_of_line(text);
}

} // namespace rolegate::pgwire
