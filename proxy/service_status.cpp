// SPDX-License-Identifier: PostgreSQL
#include "proxy/service_status.hpp"

namespace rolegate::proxy
{

namespace
{

// Clusters that are named; the others are counted.
constexpr std::size_t most_named = 3;

std::string count(std::size_t n, const std::string& what)
{
    return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

// What keeps clients from being served; "": nothing.
std::string trouble(const health::topology& t, health::time_point now)
{
    if (!t.confirmed)
        return "not seen yet";
    if (t.stale(now))
        return "stale";
    return t.has_roles() && !t.primary() ? "no primary" : "";
}

} // namespace

std::string service_status(
    const std::vector<health::topology_ptr>& clusters,
    std::size_t sessions,
    bool stopping,
    health::time_point now
)
{
    auto line = count(clusters.size(), "cluster");
    std::size_t troubled = 0;
    std::size_t led = 0;
    std::string primary;
    std::string troubles;
    for (const auto& t : clusters)
    {
        const auto why = trouble(*t, now);
        if (why.empty() && t->has_roles() && ++led == 1)
            primary = t->primary()->name;
        if (!why.empty() && ++troubled <= most_named)
            troubles += ", " + t->cluster + ": " + why;
    }
    if (led == 1 && clusters.size() == 1)
        line += ", primary " + primary;
    else if (led > 0)
        line += ", " + std::to_string(led) + " with a primary";
    line += troubles;
    if (troubled > most_named)
        line += ", " + std::to_string(troubled - most_named) + " more";
    line += ", " + count(sessions, "session");
    return line + (stopping ? ", stopping" : "");
}

} // namespace rolegate::proxy
