// SPDX-License-Identifier: PostgreSQL
#include "config/address.hpp"

#include "config/quote.hpp"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace rolegate::config
{
namespace
{

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

parsed_address refuse(std::string error)
{
    return {std::nullopt, std::move(error)};
}

// The canonical spelling, so that "0::1" and "::1" are seen to be the same.
std::optional<std::string> canonical_ip(int family, const std::string& text)
{
    std::array<unsigned char, sizeof(in6_addr)> binary{};
    std::array<char, INET6_ADDRSTRLEN> out{};
    if (inet_pton(family, text.c_str(), binary.data()) != 1)
        return std::nullopt;
    if (inet_ntop(family, binary.data(), out.data(), out.size()) == nullptr)
        return std::nullopt;
    return std::string(out.data());
}

// RFC 1123, and the underscore that container runtimes put into names. 253 and 63 are DNS's.
bool is_host_name(std::string_view host)
{
    if (host.empty() || host.size() > 253)
        return false;
    std::size_t label = 0;
    for (const char c : host)
    {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (c == '.' ? label == 0 : !(letter || is_digit(c) || c == '-' || c == '_'))
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63)
            return false;
    }
    return host.front() != '-';
}

struct split_address
{
    std::string host; // without brackets
    std::uint16_t port = 0;
    bool bracketed = false;
};

std::optional<std::uint16_t> parse_port(std::string_view text)
{
    std::uint16_t port = 0;
    if (text.empty() || !std::ranges::all_of(text, is_digit))
        return std::nullopt;
    const auto [rest, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (ec != std::errc())
        return std::nullopt;
    return port;
}

// nullopt: there is no host or no port where they should be.
std::optional<split_address> split(std::string_view text)
{
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0)
        return std::nullopt;
    const auto port = parse_port(text.substr(colon + 1));
    if (!port)
        return std::nullopt;

    std::string_view host = text.substr(0, colon);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed)
        host = host.substr(1, host.size() - 2);
    return split_address{std::string(host), *port, bracketed};
}

// An IP address in its canonical spelling, nullopt when `parts` holds something else.
std::optional<std::string> ip_of(const split_address& parts)
{
    return canonical_ip(parts.bracketed ? AF_INET6 : AF_INET, parts.host);
}

// Catches "::1:8008", where nobody can say which colon starts the port.
bool needs_brackets(const split_address& parts)
{
    return !parts.bracketed && parts.host.find(':') != std::string::npos;
}

bool is_mapped_ipv4(const std::string& ip)
{
    return ip.starts_with("::ffff:") && ip.find('.') != ip.npos;
}

constexpr std::string_view unix_scheme = "unix:";

// Without what changes nothing, so that "//run/./x" and "/run/x" are seen to be the same. ".." is
// left alone: behind a symbolic link it is not the parent.
std::string canonical_path(std::string_view path)
{
    std::string out;
    while (!path.empty())
    {
        const std::size_t slash = std::min(path.find('/'), path.size());
        const std::string_view part = path.substr(0, slash);
        if (!part.empty() && part != ".")
            out.append("/").append(part);
        path.remove_prefix(std::min(slash + 1, path.size()));
    }
    return out;
}

bool names_a_directory(std::string_view path)
{
    return path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
}

// `text` is what follows "unix:".
parsed_address parse_unix_bind(std::string_view text)
{
    const std::string got = ", got " + quoted(std::string(unix_scheme).append(text));
    if (!text.starts_with('/'))
        return refuse(
            "a unix socket needs an absolute path such as unix:/run/rolegate/write" + got
        );

    const std::size_t colon = std::min(text.find(':'), text.size());
    std::string path = canonical_path(text.substr(0, colon));
    const bool has_port = colon < text.size();
    const auto port = has_port ? parse_port(text.substr(colon + 1)).value_or(0) : 0;
    // A colon elsewhere in the path would be legal, and is more often a mistyped port.
    const bool complete = has_port ? port != 0 : !names_a_directory(text);
    if (!complete || std::ranges::any_of(path, [](char c) { return c >= '\0' && c < ' '; }))
        return refuse("expected unix:/PATH or unix:/DIRECTORY:PORT" + got);
    if (has_port)
        path += "/.s.PGSQL." + std::to_string(port);

    constexpr std::size_t longest = sizeof(sockaddr_un::sun_path) - 1;
    if (path.size() > longest)
        return refuse(
            "the path of a unix socket has at most " + std::to_string(longest) + " bytes, " +
            quoted(path) + " has " + std::to_string(path.size())
        );
    return {host_port{std::move(path), 0}, {}};
}

} // namespace

parsed_address parse_bind(std::string_view text)
{
    if (text.starts_with(unix_scheme))
        return parse_unix_bind(text.substr(unix_scheme.size()));
    if (text.starts_with('/'))
        return refuse("a unix socket is written unix:/PATH, got " + quoted(text));
    const auto parts = split(text);
    if (!parts)
        return refuse("expected ADDR:PORT such as *:5432 or [::]:5432, got " + quoted(text));
    if (needs_brackets(*parts))
        return refuse("an IPv6 address stands in brackets such as [::1]:5432, got " + quoted(text));
    if (parts->host == "*" && !parts->bracketed)
        return {host_port{"*", parts->port}, {}};

    const auto ip = ip_of(*parts);
    if (!ip)
        return refuse(quoted(parts->host) + " is not an IP address; a bind takes one, or *");
    if (is_mapped_ipv4(*ip))
        return refuse("write the IPv4 address itself instead of " + quoted(*ip));
    return {host_port{*ip, parts->port}, {}};
}

parsed_address parse_member(std::string_view text)
{
    if (text.find("://") != std::string_view::npos)
        return refuse(
            "expected HOST:PORT, not a URL (tls: {} turns HTTPS on), got " + quoted(text)
        );
    return parse_host_port(text, 8008);
}

parsed_address parse_host_port(std::string_view text, std::uint16_t usual_port)
{
    const std::string port = ":" + std::to_string(usual_port);
    const auto parts = split(text);
    if (!parts || parts->port == 0)
        return refuse("expected HOST:PORT such as 10.0.0.1" + port + ", got " + quoted(text));
    if (needs_brackets(*parts))
        return refuse(
            "an IPv6 address stands in brackets such as [::1]" + port + ", got " + quoted(text)
        );
    if (const auto ip = ip_of(*parts))
        return {host_port{*ip, parts->port}, {}};

    // "10.0.3" and "256.1.1.1" are names by DNS's grammar and mistakes by everybody else's.
    const bool looks_like_ip =
        parts->bracketed ||
        std::ranges::all_of(parts->host, [](char c) { return is_digit(c) || c == '.'; });
    if (looks_like_ip || !is_host_name(parts->host))
        return refuse(quoted(parts->host) + " is neither a host name nor an IP address");
    return {host_port{parts->host, parts->port}, {}};
}

std::string format_address(const host_port& address)
{
    if (address.is_unix())
        return std::string(unix_scheme) + address.host;
    const bool ipv6 = address.host.find(':') != std::string::npos;
    return (ipv6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

address_family family_of(const host_port& bind)
{
    if (bind.is_unix())
        return address_family::local;
    return bind.host.find(':') == std::string::npos ? address_family::ipv4 : address_family::ipv6;
}

bool is_wildcard(const host_port& bind)
{
    return bind.host == "*" || bind.host == "0.0.0.0" || bind.host == "::";
}

bool is_loopback(const host_port& bind)
{
    constexpr std::string_view mapped = "::ffff:"; // IPv4 within IPv6
    auto host = std::string_view(bind.host);
    if (host.starts_with(mapped))
        host.remove_prefix(mapped.size());
    return host == "::1" || (host.starts_with("127.") && family_of(bind) != address_family::local);
}

} // namespace rolegate::config
