// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/place.hpp"

#include "config/address.hpp"
#include "config/haproxy/number.hpp"
#include "config/quote.hpp"

#include <algorithm>
#include <array>

namespace rolegate::config::haproxy
{
namespace
{

// A range of thousands of ports is a mistake more often than a wish.
constexpr std::size_t most_binds = 64;

// True: it was there, and is taken off.
bool strip(std::string_view& text, std::string_view prefix)
{
    if (!text.starts_with(prefix))
        return false;
    text.remove_prefix(prefix.size());
    return true;
}

// What we have no sockets for.
bool is_special(std::string_view text)
{
    constexpr std::array<std::string_view, 9> kinds{
        "abns@", "abnsz@", "fd@", "sockpair@", "quic4@", "quic6@", "udp@", "udp4@", "udp6@"};
    return std::ranges::any_of(kinds, [text](auto kind) { return text.starts_with(kind); }) ||
           text.starts_with("rhttp@") || text.starts_with("mptcp");
}

// The last colon comes before the port, as HAProxy has it: ":::5000" is port 5000 of "::".
std::size_t port_colon(std::string_view text)
{
    return text.ends_with(']') ? std::string_view::npos : text.rfind(':');
}

std::string without_brackets(std::string_view host)
{
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    return std::string(host);
}

std::string address_text(const std::string& host, std::string_view port)
{
    const bool ipv6 = host.find(':') != std::string::npos;
    return (ipv6 ? "[" + host + "]:" : host + ":").append(port);
}

std::string bind_host(std::string_view text)
{
    std::string host = without_brackets(text);
    if (host.empty() || host == "0.0.0.0")
        return "*";
    return host == "localhost" ? "127.0.0.1" : host;
}

void add_place(const std::string& address, bind_places& out)
{
    if (out.value.size() >= most_binds)
    {
        out.error = "more than " + std::to_string(most_binds) + " ports";
        return;
    }
    parsed_address parsed = parse_bind(address);
    if (!parsed.value)
        out.error = std::move(parsed.error);
    else
        out.value.push_back(std::move(*parsed.value));
}

void add_ports(const std::string& host, std::string_view ports, bind_places& out)
{
    const std::size_t dash = ports.find('-');
    const auto first = parse_number(ports.substr(0, dash));
    const auto last = dash == ports.npos ? first : parse_number(ports.substr(dash + 1));
    if (!first || !last || *first == 0 || *last > 65535 || *first > *last)
    {
        out.error = "expected a port, got " + quoted(ports);
        return;
    }
    for (std::size_t port = *first; port <= *last && out.error.empty(); ++port)
        add_place(address_text(host, std::to_string(port)), out);
}

void add_bind(std::string_view text, bind_places& out)
{
    if (is_special(text))
    {
        out.error = "such sockets are not listened on: TCP ports and unix sockets are";
        return;
    }
    const bool is_unix = strip(text, "unix@") || text.starts_with('/');
    if (is_unix)
        return add_place("unix:" + std::string(text), out);
    strip(text, "ipv4@");
    strip(text, "ipv6@");
    strip(text, "tcp4@");
    strip(text, "tcp6@");
    strip(text, "tcp@");
    const std::size_t colon = port_colon(text);
    if (colon == text.npos)
    {
        out.error = "there is no port in " + quoted(text);
        return;
    }
    add_ports(bind_host(text.substr(0, colon)), text.substr(colon + 1), out);
}

} // namespace

bind_places parse_binds(std::string_view text)
{
    bind_places out;
    while (out.error.empty())
    {
        const std::size_t comma = text.find(',');
        add_bind(text.substr(0, comma), out);
        if (comma == text.npos)
            break;
        text.remove_prefix(comma + 1);
    }
    return out;
}

server_place parse_server(std::string_view text)
{
    server_place out;
    if (is_special(text) || text.starts_with("unix@") || text.starts_with('/'))
    {
        out.error = "members are reached over TCP; for PostgreSQL's own unix socket there is "
                    "`address_map`";
        return out;
    }
    strip(text, "ipv4@");
    strip(text, "ipv6@");
    strip(text, "tcp4@");
    strip(text, "tcp6@");
    strip(text, "tcp@");
    const std::size_t colon = port_colon(text);
    out.host = without_brackets(text.substr(0, colon));
    std::string_view port = "1"; // any, for what follows
    if (colon != text.npos)
    {
        port = text.substr(colon + 1);
        const bool mapped = port.empty() || port.front() == '+' || port.front() == '-';
        const auto number = parse_number(port);
        if (!mapped && number && *number <= 65535)
            out.port = static_cast<std::uint16_t>(*number);
        if (mapped)
            port = "1";
    }
    const parsed_address parsed = parse_host_port(address_text(out.host, port), 5432);
    if (!parsed.value)
        out.error = parsed.error;
    else
        out.host = parsed.value->host; // in its canonical spelling
    return out;
}

} // namespace rolegate::config::haproxy
