// SPDX-License-Identifier: PostgreSQL
#include "config/dcs_address.hpp"

#include "config/quote.hpp"

namespace rolegate::config
{
namespace
{

// What stands before an @ may be a password.
std::string got(std::string_view text)
{
    return text.find('@') == std::string_view::npos ? ", got " + quoted(text) : std::string();
}

std::string_view trimmed(std::string_view text)
{
    constexpr std::string_view blank = " \t\r\n";
    const std::size_t first = text.find_first_not_of(blank);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

// "db-1" and "[::1]", but not "db-1:", where something was forgotten.
bool lacks_port(std::string_view text)
{
    return text.starts_with('[') ? text.ends_with(']') : text.find(':') == std::string_view::npos;
}

parsed_dcs_url refuse_url(std::string_view text)
{
    return {std::nullopt, "expected a URL such as https://10.0.0.1:2379" + got(text)};
}

} // namespace

parsed_address parse_dcs_host(std::string_view text, std::uint16_t default_port)
{
    const std::string example = "expected HOST:PORT such as 10.0.0.1:2379";
    if (text.find("://") != std::string_view::npos)
        return {std::nullopt, example + ", not a URL (that is the key 'url')" + got(text)};
    if (text.empty() || text.find('@') != std::string_view::npos)
        return {std::nullopt, example + got(text)};
    if (!lacks_port(text))
        return parse_host_port(text, etcd_port);
    return parse_host_port(std::string(text) + ":" + std::to_string(default_port), etcd_port);
}

std::vector<std::string> split_list(std::string_view text)
{
    std::vector<std::string> out;
    for (;;)
    {
        const std::size_t comma = text.find(',');
        out.emplace_back(trimmed(text.substr(0, comma)));
        if (comma == std::string_view::npos)
            return out;
        text.remove_prefix(comma + 1);
    }
}

parsed_dcs_url parse_dcs_url(std::string_view text, std::uint16_t default_port)
{
    const bool https = text.starts_with("https://");
    if (!https && !text.starts_with("http://"))
        return refuse_url(text);
    std::string_view rest = text.substr(https ? 8 : 7);

    dcs_url out;
    out.https = https;
    // The last one: a password may hold an @, a host may not.
    if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos)
    {
        const std::string_view user = rest.substr(0, at);
        const std::size_t colon = user.find(':');
        out.username = user.substr(0, colon);
        if (colon != std::string_view::npos)
            out.password = user.substr(colon + 1);
        rest.remove_prefix(at + 1);
    }
    if (rest.ends_with('/'))
        rest.remove_suffix(1);
    const parsed_address address = parse_dcs_host(rest, default_port);
    if (!address.value)
        return refuse_url(text);
    out.address = *address.value;
    return {std::move(out), {}};
}

} // namespace rolegate::config
