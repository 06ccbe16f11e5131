// SPDX-License-Identifier: PostgreSQL
#include "proxy/pgwire/error_response.hpp"

#include "proxy/pgwire/big_endian.hpp"

#include <algorithm>

namespace rolegate::pgwire
{
namespace
{

constexpr std::size_t header_size = 5;  // type and length
constexpr std::uint32_t min_length = 4; // the length counts itself
constexpr std::size_t sqlstate_size = 5;

void append_field(std::string& out, char field, std::string_view value)
{
    out += field;
    // A String ends at its first zero byte: what stands behind one would be read as a new field.
    out += value.substr(0, value.find('\0'));
    out += '\0';
}

bool is_sqlstate(std::string_view text) noexcept
{
    const auto legal = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
    return text.size() == sqlstate_size && std::all_of(text.begin(), text.end(), legal);
}

// Field C of an ErrorResponse's body; "" when there is none or the body is not well-formed.
std::string_view sqlstate_of(std::string_view body) noexcept
{
    std::string_view found;
    while (!body.empty() && body.front() != '\0')
    {
        const char field = body.front();
        body.remove_prefix(1);
        const auto end = body.find('\0');
        if (end == std::string_view::npos)
            return {};
        if (field == 'C' && found.empty() && is_sqlstate(body.substr(0, end)))
            found = body.substr(0, end);
        body.remove_prefix(end + 1);
    }
    // Exactly the terminator is left: neither missing nor followed by anything.
    return body.size() == 1 ? found : std::string_view{};
}

constexpr std::string_view authentication_ok{"\0\0\0\0", 4};

// NegotiateProtocolVersion, Authentication, ParameterStatus, BackendKeyData, NoticeResponse.
bool may_come_before_ready(char type) noexcept
{
    return std::string_view{"vRSKN"}.find(type) != std::string_view::npos;
}

} // namespace

std::string fatal_error(std::string_view sqlstate, std::string_view message)
{
    std::string out{"E\0\0\0\0", header_size};
    append_field(out, 'S', "FATAL");
    append_field(out, 'V', "FATAL");
    append_field(out, 'C', sqlstate);
    append_field(out, 'M', message);
    out += '\0';

    const auto length = static_cast<std::uint32_t>(out.size() - 1);
    for (std::size_t i = 0; i < 4; ++i)
        out[1 + i] = static_cast<char>(static_cast<unsigned char>(length >> (24 - 8 * i)));
    return out;
}

first_answer parse_first_answer(bytes answer) noexcept
{
    const first_answer as_it_is{parse_status::complete, {}};
    for (auto rest = answer; !rest.empty();)
    {
        const auto type = std::to_integer<char>(rest.front());
        if (!may_come_before_ready(type) && type != 'E')
            return as_it_is;
        if (answer.size() - rest.size() >= max_first_answer_size)
            return as_it_is;
        if (rest.size() < header_size)
            return {};

        // Also true of the error a server of protocol 2.0 sends: its text in place of the length.
        const auto length = big_endian_32(rest.subspan<1, 4>());
        if (length < min_length || length > max_first_error_size - 1)
            return as_it_is;
        if (rest.size() - 1 < length)
            return {};

        const auto body = rest.subspan(header_size, length - min_length);
        const std::string_view text{reinterpret_cast<const char*>(body.data()), body.size()};
        if (type == 'E')
            return {parse_status::complete, sqlstate_of(text)};
        if (type == 'R' && text != authentication_ok)
            return as_it_is; // the client has to say something first
        rest = rest.subspan(1 + length);
    }
    return {};
}

} // namespace rolegate::pgwire
