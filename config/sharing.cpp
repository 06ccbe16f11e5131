// SPDX-License-Identifier: PostgreSQL
#include "config/sharing.hpp"

#include "config/address.hpp"
#include "config/quote.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>

namespace rolegate::config
{
namespace
{

struct common_key
{
    const char* path;
    bool (*same)(const listener_settings&, const listener_settings&);
};

constexpr std::array common_keys{
    common_key{"tls", [](const auto& a, const auto& b) { return a.tls == b.tls; }},
    common_key{"allow", [](const auto& a, const auto& b) { return a.allow == b.allow; }},
    common_key{
        "accept_proxy",
        [](const auto& a, const auto& b) { return a.accept_proxy == b.accept_proxy; }},
    common_key{
        "handshakes", [](const auto& a, const auto& b) { return a.handshakes == b.handshakes; }},
    common_key{
        "timeouts/handshake",
        [](const auto& a, const auto& b) { return a.timeouts.handshake == b.timeouts.handshake; }},
    common_key{
        "keepalive", [](const auto& a, const auto& b) { return a.keepalive == b.keepalive; }},
    common_key{
        "tcp_user_timeout",
        [](const auto& a, const auto& b) { return a.tcp_user_timeout == b.tcp_user_timeout; }},
    common_key{
        "withdraw_after",
        [](const auto& a, const auto& b) { return a.withdraw_after == b.withdraw_after; }},
};

std::string path_of(const listener_settings& l)
{
    return "listeners/" + l.name;
}

void check_common_keys(
    const listener_settings& first, const listener_settings& other, findings& out
)
{
    for (const auto& key : common_keys)
    {
        if (key.same(first, other))
            continue;
        const std::string suffix = std::string("/") + key.path;
        std::string name = key.path;
        std::ranges::replace(name, '/', '.');
        out.push_back(
            {{path_of(other) + suffix, path_of(first) + suffix, path_of(other) + "/match"},
             quoted(name) + " must be the same as that of listener " + quoted(first.name) +
                 ", which has the same 'bind': it counts before a client is known"}
        );
    }
}

// An earlier one without `match`, or with the same one, leaves nobody for a later one.
void check_order(
    const settings& s, const std::vector<std::size_t>& group, std::size_t at, findings& out
)
{
    const auto& later = s.listeners[group[at]];
    for (std::size_t i = 0; i < at; ++i)
    {
        const auto& earlier = s.listeners[group[i]];
        const bool takes_all = earlier.match.empty();
        if (!takes_all && earlier.match != later.match)
            continue;
        const std::string why = takes_all ? " before it has no 'match' and takes every client; "
                                            "the one without must be the last"
                                          : " before it has the same 'match'";
        out.push_back(
            {{path_of(later) + "/match", path_of(later) + "/bind"},
             "listener " + quoted(later.name) + " is never reached: " + quoted(earlier.name) + why}
        );
        return;
    }
}

// Its clients say nothing that could be read.
void check_kind(const settings& s, const listener_settings& l, findings& out)
{
    const auto cluster = std::ranges::find(s.clusters, l.cluster, &cluster_settings::name);
    if (cluster == s.clusters.end() || !cluster->tcp || !l.match.empty())
        return; // beside `match` it is refused anyway
    out.push_back(
        {{path_of(l) + "/bind", path_of(l) + "/cluster"},
         "listener " + quoted(l.name) +
             " cannot share its 'bind': it leads to a cluster of kind 'tcp'"}
    );
}

} // namespace

listener_groups groups_of(const std::vector<listener_settings>& listeners)
{
    const auto has_match = [&](std::size_t i) { return !listeners[i].match.empty(); };
    // By the texts of their binds; in each the positions of groups that may be joined.
    std::map<std::vector<std::string>, std::vector<std::size_t>> by_bind;
    for (std::size_t i = 0; i < listeners.size(); ++i)
    {
        std::vector<std::string> key;
        for (const auto& b : listeners[i].bind)
            key.push_back(b.host.empty() ? "" : format_address(b));
        by_bind[std::move(key)].push_back(i);
    }
    listener_groups groups;
    for (auto& [bind, indexes] : by_bind)
    {
        const bool readable = std::ranges::find(bind, "") == bind.end();
        if (readable && std::ranges::any_of(indexes, has_match))
            groups.push_back(std::move(indexes));
        else
            for (const auto i : indexes)
                groups.push_back({i});
    }
    std::ranges::sort(groups);
    return groups;
}

void check_sharing(const settings& s, findings& out)
{
    for (const auto& group : groups_of(s.listeners))
        for (std::size_t at = 1; at < group.size(); ++at)
        {
            check_order(s, group, at, out);
            check_common_keys(s.listeners[group.front()], s.listeners[group[at]], out);
            check_kind(s, s.listeners[group[at]], out);
        }
}

} // namespace rolegate::config
