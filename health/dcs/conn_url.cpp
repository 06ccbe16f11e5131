// SPDX-License-Identifier: PostgreSQL
#include "health/dcs/conn_url.hpp"

#include <charconv>

namespace rolegate::health::dcs
{
namespace
{

// What comes before the first of `ends`; all of it when there is none.
std::string_view until(std::string_view text, std::string_view ends) noexcept
{
    return text.substr(0, text.find_first_of(ends));
}

// What is no escape stays as it is: "fe80::1%eth0".
std::string percent_decoded(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        unsigned char byte = 0;
        const auto digits = text[i] == '%' ? text.substr(i + 1, 2) : std::string_view{};
        const auto* end = digits.data() + digits.size();
        const bool is_escape =
            digits.size() == 2 && std::from_chars(digits.data(), end, byte, 16).ptr == end;
        out += is_escape ? static_cast<char>(byte) : text[i];
        i += is_escape ? 2 : 0;
    }
    return out;
}

// nullopt: no port. "" is one, the default: "host:".
std::optional<std::uint16_t> port_in(std::string_view text) noexcept
{
    if (text.empty())
        return std::uint16_t{5432};
    std::uint16_t port = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, port);
    if (error != std::errc{} || stop != end || port == 0)
        return std::nullopt;
    return port;
}

// The part between "://" and the path, credentials off.
std::string_view address_in(std::string_view rest) noexcept
{
    auto address = until(rest, "/?#");
    if (const auto at = address.rfind('@'); at != std::string_view::npos)
        address.remove_prefix(at + 1);
    return address;
}

// "application_name=http://10.0.0.1:8008/patroni", the only field that Patroni put there.
std::string api_url_in(std::string_view rest)
{
    const auto question = rest.find('?');
    if (question == std::string_view::npos)
        return {};
    auto query = until(rest.substr(question + 1), "#");
    while (!query.empty())
    {
        const auto field = until(query, "&");
        constexpr std::string_view name = "application_name=";
        if (field.starts_with(name))
            return percent_decoded(field.substr(name.size()));
        query.remove_prefix(field.size() + (field.size() < query.size() ? 1 : 0));
    }
    return {};
}

} // namespace

std::optional<conn_url> parse_conn_url(std::string_view url)
{
    const auto colon = url.find("://");
    const auto scheme = url.substr(0, colon);
    if (colon == std::string_view::npos || (scheme != "postgres" && scheme != "postgresql"))
        return std::nullopt;
    const auto rest = url.substr(colon + 3);
    const auto address = address_in(rest);

    std::string_view host;
    std::string_view after;
    if (address.starts_with('['))
    {
        const auto close = address.find(']');
        if (close == std::string_view::npos)
            return std::nullopt;
        host = address.substr(1, close - 1);
        after = address.substr(close + 1);
    }
    else
    {
        host = until(address, ":");
        after = address.substr(host.size());
    }
    if (host.empty() || (!after.empty() && after.front() != ':'))
        return std::nullopt;
    const auto port = port_in(after.empty() ? after : after.substr(1));
    if (!port)
        return std::nullopt;
    return conn_url{percent_decoded(host), *port, api_url_in(rest)};
}

} // namespace rolegate::health::dcs
