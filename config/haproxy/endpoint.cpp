// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/endpoint.hpp"

#include "config/quote.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <array>

namespace rolegate::config::haproxy
{
namespace
{

struct known_path
{
    std::string_view path;
    listener_role role;
    bool distinct;
};

// Patroni's documentation of its REST API, and the older words that it still takes.
constexpr std::array<known_path, 24> known_paths{{
    {"/", listener_role::primary, false},
    {"/primary", listener_role::primary, true},
    {"/master", listener_role::primary, true},
    {"/read-write", listener_role::primary, true},
    {"/leader", listener_role::leader, true},
    {"/standby-leader", listener_role::standby_leader, true},
    {"/standby_leader", listener_role::standby_leader, true},
    {"/replica", listener_role::replica, true},
    {"/read-only", listener_role::read_only, true},
    {"/sync", listener_role::sync, true},
    {"/synchronous", listener_role::sync, true},
    {"/async", listener_role::async, true},
    {"/asynchronous", listener_role::async, true},
    {"/quorum", listener_role::quorum, true},
    {"/read-only-sync", listener_role::read_only_sync, true},
    {"/read-only-synchronous", listener_role::read_only_sync, true},
    {"/read-only-quorum", listener_role::read_only_quorum, true},
    {"/health", listener_role::any, false},
    {"/liveness", listener_role::any, false},
    {"/readiness", listener_role::any, false},
    {"/patroni", listener_role::any, true},
    {"/cluster", listener_role::any, false},
    {"/history", listener_role::any, false},
    {"/config", listener_role::any, false},
}};

// 1B to 1024TB, see listener `lag`.
constexpr std::int64_t largest_lag = std::int64_t{1} << 50;

// "%20" and "+" as the form has them; nullopt: something broken.
std::optional<std::string> decoded(std::string_view text)
{
    const auto digit = [](char c) -> int
    {
        if (c >= '0' && c <= '9')
            return c - '0';
        const int lower = c | 0x20;
        return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
    };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        if (text[i] != '%')
        {
            out += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? digit(text[i + 1]) : -1;
        const int low = high >= 0 ? digit(text[i + 2]) : -1;
        if (low < 0)
            return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

void take_lag(const std::string& text, endpoint& out)
{
    const auto bytes = parse_size(text);
    if (!bytes || *bytes < 1 || *bytes > largest_lag)
    {
        out.refused.push_back("lag=" + text + ": expected a size such as 1MB");
        return;
    }
    out.demand.lag = lag_limit<std::int64_t>{*bytes, std::max<std::int64_t>(*bytes / 2, 1)};
    out.notes.emplace_back("a replica that was too far behind comes back at half of that lag, "
                           "kept up for `lag_dwell`");
}

// Texts of the file, so that it is known what the listener can hold.
bool is_plain(std::string_view text)
{
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7f; });
}

void take_parameter(const std::string& name, const std::string& value, endpoint& out)
{
    if (is_leader_only(out.demand.role))
        out.notes.push_back(quoted(name) + " means nothing beside this role, as in Patroni");
    else if (name == "lag")
        take_lag(value, out);
    else if (name == "replication_state")
    {
        if (value == "streaming" || value == "in archive recovery")
            out.demand.replication_state = value;
        else
            out.refused.push_back("replication_state=" + value + ": unknown");
    }
    else if (name.starts_with("tag_") && is_plain(name.substr(4)) && is_plain(value))
        out.demand.tags[name.substr(4)] = value;
    else
        out.refused.push_back(quoted(name) + ": unknown");
}

void take_query(std::string_view query, endpoint& out)
{
    while (!query.empty())
    {
        const std::string_view part = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(part.size() + 1, query.size()));
        const std::size_t equals = std::min(part.find('='), part.size());
        const auto name = decoded(part.substr(0, equals));
        const auto value = decoded(part.substr(std::min(equals + 1, part.size())));
        if (!name || !value)
            out.refused.push_back(quoted(part) + ": cannot be read");
        else if (!part.empty())
            take_parameter(*name, *value, out);
    }
}

} // namespace

std::optional<endpoint> endpoint_of(std::string_view uri)
{
    std::string_view path = uri.substr(0, uri.find('?'));
    const std::string_view query = uri.substr(std::min(path.size() + 1, uri.size()));
    while (path.size() > 1 && path.ends_with('/'))
        path.remove_suffix(1);
    const auto found = std::ranges::find(known_paths, path, &known_path::path);
    if (found == known_paths.end())
        return std::nullopt;
    endpoint out;
    out.demand.role = found->role;
    out.distinct = found->distinct;
    if (found->role == listener_role::any)
        out.notes.push_back(
            "'role: any' leads to whoever is open for reads or writes, where " + quoted(path) +
            " asks less"
        );
    take_query(query, out);
    return out;
}

} // namespace rolegate::config::haproxy
