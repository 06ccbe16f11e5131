// SPDX-License-Identifier: PostgreSQL
#include "proxy/pgwire/startup_message.hpp"

#include "proxy/pgwire/big_endian.hpp"

#include <algorithm>
#include <string>

namespace rolegate::pgwire
{
namespace
{

constexpr std::uint32_t major_3 = 3;
constexpr std::size_t min_startup_size = first_packet_header_size + 1; // only the terminator
constexpr std::string_view application_name = "application_name";
constexpr std::string_view default_application = "app"; // pgbouncer's
constexpr std::string_view separator = " - ";

// The string at the front of `rest`, which moves behind its zero byte; nullopt without one.
std::optional<std::string_view> take_string(std::string_view& rest) noexcept
{
    const auto end = rest.find('\0');
    if (end == rest.npos)
        return std::nullopt;
    const auto out = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return out;
}

// Calls on(name, value) for every parameter; false: what was seen so far is not to be trusted.
template <class F> bool each_parameter(bytes packet, F on)
{
    if (packet.size() < min_startup_size || packet.size() > max_first_packet_size ||
        big_endian_32(packet.first<4>()) != packet.size() ||
        startup_protocol(packet) >> 16 != major_3)
        return false;
    const auto payload = packet.subspan(first_packet_header_size);
    std::string_view rest{reinterpret_cast<const char*>(payload.data()), payload.size()};
    while (!rest.empty() && rest.front() != '\0')
    {
        const auto name = take_string(rest);
        const auto value = name ? take_string(rest) : std::nullopt;
        if (!value)
            return false;
        on(*name, *value);
    }
    // Exactly the terminator is left: neither missing nor followed by anything.
    return rest.size() == 1;
}

// The names of settings are compared in the server without regard to case, in ASCII.
bool is_application_name(std::string_view name) noexcept
{
    const auto lower = [](char c)
    { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::equal(
        name.begin(),
        name.end(),
        application_name.begin(),
        application_name.end(),
        [&](char a, char b) { return lower(a) == b; }
    );
}

// Since PostgreSQL 16 the server shows every byte of application_name that is not printable ASCII
// as "\xAB" (pg_clean_ascii), and cuts to 63 bytes after that: the address would be cut off.
std::size_t shown_size(char c) noexcept
{
    return c >= ' ' && c <= '~' ? 1 : 4;
}

bool continues_character(char c) noexcept
{
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// As much of `text` as takes no more than `room` bytes when shown, without half a character of
// UTF-8 at its end.
std::string_view shortened(std::string_view text, std::size_t room) noexcept
{
    std::size_t n = 0;
    for (std::size_t used = 0; n < text.size(); ++n)
    {
        used += shown_size(text[n]);
        if (used > room)
            break;
    }
    if (n == text.size())
        return text;
    // At most three bytes continue a character; where more do, it is no UTF-8.
    auto start = n;
    while (start > 0 && n - start < 3 && continues_character(text[start]))
        --start;
    return text.substr(0, continues_character(text[start]) ? n : start);
}

std::string name_and_client(std::string_view name, std::string_view client)
{
    // A zero byte would end the value and begin a parameter.
    client = shortened(client.substr(0, client.find('\0')), max_application_name_size);
    std::size_t taken = separator.size();
    for (const char c : client)
        taken += shown_size(c);
    const auto room = taken < max_application_name_size ? max_application_name_size - taken : 0;
    std::string out{shortened(name.empty() ? default_application : name, room)};
    if (!out.empty())
        out += separator;
    out += client;
    return out;
}

} // namespace

bool well_formed_startup(bytes packet) noexcept
{
    return each_parameter(packet, [](std::string_view, std::string_view) {});
}

std::optional<std::string_view> startup_parameter(bytes packet, std::string_view name) noexcept
{
    std::optional<std::string_view> found;
    const auto note = [&](std::string_view n, std::string_view value)
    {
        if (n == name)
            found = value;
    };
    return each_parameter(packet, note) ? found : std::nullopt;
}

std::vector<std::byte> with_application_name_host(bytes packet, std::string_view client)
{
    // Settings are applied in their order: the last one of several holds.
    std::optional<std::string_view> found;
    const auto note = [&](std::string_view name, std::string_view value)
    {
        if (is_application_name(name))
            found = value;
    };
    std::vector<std::byte> out{packet.begin(), packet.end()};
    if (!each_parameter(packet, note))
        return out;

    // [at, at + replaced) makes room for `text`.
    std::size_t at = packet.size() - 1;
    std::size_t replaced = 0;
    auto text = name_and_client(found.value_or(""), client);
    if (found)
    {
        const auto* begin = reinterpret_cast<const char*>(packet.data());
        at = static_cast<std::size_t>(found->data() - begin);
        replaced = found->size();
    }
    else
    {
        std::string parameter{application_name};
        parameter += '\0';
        parameter += text;
        parameter += '\0';
        text = std::move(parameter);
    }
    const auto size = packet.size() - replaced + text.size();
    if (size > max_first_packet_size)
        return out;

    const auto put = std::as_bytes(std::span(text));
    const auto behind = packet.subspan(at + replaced);
    out.resize(at);
    out.insert(out.end(), put.begin(), put.end());
    out.insert(out.end(), behind.begin(), behind.end());
    for (std::size_t i = 0; i < 4; ++i)
        out[i] = static_cast<std::byte>(size >> (24 - 8 * i) & 0xff);
    return out;
}

} // namespace rolegate::pgwire
