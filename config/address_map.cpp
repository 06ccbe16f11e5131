// SPDX-License-Identifier: PostgreSQL
#include "config/address_map.hpp"

#include "config/address.hpp"

#include <charconv>

namespace rolegate::config
{
namespace
{

constexpr std::string_view unix_prefix = "unix:";
constexpr std::uint16_t usual_port = 5432; // for the example in an error

// The port behind the last colon; nullopt: there is none.
std::optional<std::uint16_t> port_behind(std::string_view text, std::size_t colon)
{
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [last, ec] = std::from_chars(text.data() + colon + 1, end, port);
    return ec == std::errc() && last == end && port != 0 ? std::optional(port) : std::nullopt;
}

parsed_place parse_directory(std::string_view text)
{
    host_port place{std::string(text), 0};
    if (const auto colon = text.rfind(':'); colon != std::string_view::npos)
        if (const auto port = port_behind(text, colon))
            place = {std::string(text.substr(0, colon)), *port};
    if (!place.is_unix())
        return {{}, "expected the absolute path of a directory such as unix:/run/postgresql"};
    return {place, ""};
}

} // namespace

parsed_place parse_said(std::string_view text)
{
    if (auto whole = parse_host_port(text, usual_port); whole.value)
        return {whole.value, ""};
    // The port may be missing, nothing else.
    auto host = parse_host_port(std::string(text) + ":1", usual_port);
    if (!host.value)
        return {{}, parse_host_port(text, usual_port).error};
    return {host_port{host.value->host, 0}, ""};
}

parsed_place parse_target(std::string_view text)
{
    if (text.starts_with(unix_prefix))
        return parse_directory(text.substr(unix_prefix.size()));
    return parse_said(text);
}

std::string format_target(const host_port& place)
{
    if (place.is_unix())
        return std::string(unix_prefix) + place.host +
               (place.port == 0 ? "" : ":" + std::to_string(place.port));
    if (place.port != 0)
        return format_address(place);
    return place.host.find(':') == std::string::npos ? place.host : "[" + place.host + "]";
}

std::string key_of(const host_port& said)
{
    return said.port == 0 ? said.host : format_address(said);
}

} // namespace rolegate::config
