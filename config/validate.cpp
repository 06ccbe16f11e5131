// SPDX-License-Identifier: PostgreSQL
#include "config/validate.hpp"

#include "config/address.hpp"
#include "config/fit.hpp"
#include "config/quote.hpp"
#include "config/sharing.hpp"
#include "config/suggest.hpp"
#include "config/units.hpp"
#include "config/words.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace rolegate::config
{
namespace
{

// `path` is that of the list, `what` one of its items.
void check_repetition(
    const std::vector<host_port>& addresses,
    const std::string& path,
    const std::string& what,
    findings& out
)
{
    std::set<std::string> seen;
    for (std::size_t i = 0; i < addresses.size(); ++i)
    {
        if (addresses[i].host.empty()) // unreadable, reported already
            continue;
        const std::string address = format_address(addresses[i]);
        if (!seen.insert(address).second)
            out.push_back(
                {{path + "/" + std::to_string(i)}, "duplicate " + what + " " + quoted(address)}
            );
    }
}

// `path` is that of the section, `tls` has `cert` and `key`.
template <typename T> void check_key_pair(const T& tls, const std::string& path, findings& out)
{
    const std::string cert = path + "/cert";
    const std::string key = path + "/key";
    if (!tls.cert.empty() && tls.key.empty())
        out.push_back({{cert, key}, "'cert' needs 'key' beside it"});
    if (tls.cert.empty() && !tls.key.empty())
        out.push_back({{key, cert}, "'key' needs 'cert' beside it"});
}

void check_listener(const listener_settings& listener, findings& out)
{
    const std::string path = "listeners/" + listener.name;
    check_demand(listener, out);
    if (listener.bind.empty())
        out.push_back({{path + "/bind"}, "at least one bind is needed"});
    if (listener.tls.mode == tls_mode::terminate)
    {
        const std::string tls = path + "/tls/";
        if (listener.tls.cert.empty())
            out.push_back({{tls + "cert", tls + "mode"}, "'mode: terminate' needs 'cert'"});
        if (listener.tls.key.empty())
            out.push_back({{tls + "key", tls + "mode"}, "'mode: terminate' needs 'key'"});
    }
    check_key_pair(listener.server_tls, path + "/server_tls", out);
    // Anybody can get a certificate that the system's store trusts; libpq refuses it, too.
    if (listener.server_tls.sslmode == sslmode::verify_ca && listener.server_tls.ca.empty())
        out.push_back(
            {{path + "/server_tls/sslmode"},
             "'verify-ca' needs 'ca'; the system's store is good for 'verify-full' only"}
        );
}

void check_dcs(const cluster_settings& cluster, const std::string& path, findings& out)
{
    if (!cluster.dcs)
    {
        // There would be no lease to wait for, and the primary would never be given up.
        if (cluster.on_dcs_loss == dcs_loss::fence)
            out.push_back(
                {{path + "/on_dcs_loss", path + "/dcs"},
                 "'on_dcs_loss: fence' needs 'dcs' beside it"}
            );
        return;
    }
    // The lock is read again every 1 to 2 s, and one read may take 2 s.
    constexpr milliseconds shortest_stale_after{4000};
    if (cluster.stale_after && *cluster.stale_after < shortest_stale_after)
        out.push_back(
            {{path + "/stale_after", path + "/dcs"},
             "'stale_after' (" + format_duration(*cluster.stale_after) +
                 ") must be at least 4s beside 'dcs'"}
        );
    const std::string kind = cluster.dcs->kind == dcs_kind::etcd ? "etcd" : "etcd3";
    check_repetition(cluster.dcs->hosts, path + "/dcs/" + kind + "/hosts", "host", out);
    const std::string& ours = cluster.patroni.scope;
    if (!ours.empty() && !cluster.dcs->scope.empty() && ours != cluster.dcs->scope)
        out.push_back(
            {{path + "/dcs/scope", path + "/patroni/scope"},
             "'scope' is " + quoted(cluster.dcs->scope) + " here and " + quoted(ours) +
                 " in 'patroni'"}
        );
}

void check_proxy_url(const cluster_settings& cluster, const std::string& path, findings& out)
{
    const std::string key = path + "/patroni/proxy_url";
    if (!cluster.patroni.proxy_url)
        return;
    if (!cluster.dcs)
        out.push_back(
            {{key}, "'proxy_url' needs 'dcs' beside 'patroni': only a member's key there names it"}
        );
    if (cluster.sql)
        out.push_back(
            {{key, path + "/sql"},
             "'sql' asks PostgreSQL itself, where 'proxy_url' leads to a pooler: use one of them"}
        );
}

// Otherwise every view is stale before the next answer can renew it. `path` is that of the cluster.
void check_stale_after(
    const cluster_settings& cluster,
    const std::string& path,
    const std::string& kind,
    milliseconds interval,
    findings& out
)
{
    if (cluster.stale_after && *cluster.stale_after <= interval)
        out.push_back(
            {{path + "/stale_after", path + "/" + kind + "/interval"},
             "'stale_after' (" + format_duration(*cluster.stale_after) +
                 ") must be longer than 'interval' (" + format_duration(interval) + ")"}
        );
}

// Patroni's members are discovered; of the kinds that are not these are all there are.
void check_option_names(
    const cluster_settings& cluster,
    const std::vector<host_port>& members,
    const std::string& kind,
    findings& out
)
{
    const std::string path = "clusters/" + cluster.name;
    std::set<std::string> names;
    for (const host_port& member : members)
        names.insert(format_address(member));
    const std::string options = path + "/member_options";
    for (const auto& [name, member] : cluster.member_options)
    {
        if (!names.contains(name))
            out.push_back(
                {{options + "/" + name, options, path + "/" + kind + "/members"},
                 quoted(name) + " is none of the members of " + quoted(kind) +
                     ", which are named HOST:PORT"}
            );
    }
}

void check_postgres(const cluster_settings& cluster, findings& out)
{
    const std::string path = "clusters/" + cluster.name;
    const std::string members = path + "/postgres/members";
    if (cluster.postgres->members.empty())
        out.push_back({{members}, "at least one member is needed"});
    check_repetition(cluster.postgres->members, members, "member", out);
    check_option_names(cluster, cluster.postgres->members, "postgres", out);
    check_stale_after(cluster, path, "postgres", cluster.postgres->interval, out);
}

void check_tcp(const cluster_settings& cluster, const std::string& cluster_path, findings& out)
{
    const tcp_settings& tcp = *cluster.tcp;
    const std::string path = cluster_path + "/tcp";
    if (tcp.members.empty())
        out.push_back({{path + "/members"}, "at least one member is needed"});
    check_repetition(tcp.members, path + "/members", "member", out);
    if (tcp.check.fastinter && *tcp.check.fastinter > tcp.check.inter)
        out.push_back(
            {{path + "/fastinter", path + "/inter"},
             "'fastinter' (" + format_duration(*tcp.check.fastinter) +
                 ") is longer than 'inter' (" + format_duration(tcp.check.inter) + ")"}
        );
    check_option_names(cluster, tcp.members, "tcp", out);
}

void check_cluster(const cluster_settings& cluster, findings& out)
{
    if (cluster.postgres)
        return check_postgres(cluster, out);
    const std::string path = "clusters/" + cluster.name;
    if (cluster.tcp)
        return check_tcp(cluster, path, out);
    const std::string patroni_path = path + "/patroni";
    const patroni_settings& patroni = cluster.patroni;

    // The DCS knows the members, so seeds are not needed beside it.
    if (patroni.members.empty() && !cluster.dcs)
        out.push_back({{patroni_path + "/members"}, "at least one member is needed"});
    check_repetition(patroni.members, patroni_path + "/members", "member", out);
    check_dcs(cluster, path, out);
    check_proxy_url(cluster, path, out);
    if (patroni.tls)
        check_key_pair(*patroni.tls, patroni_path + "/tls", out);
    if (patroni.fast_interval > patroni.interval)
        out.push_back(
            {{patroni_path + "/fast_interval", patroni_path + "/interval"},
             "'fast_interval' (" + format_duration(patroni.fast_interval) +
                 ") is longer than 'interval' (" + format_duration(patroni.interval) + ")"}
        );
    check_stale_after(cluster, path, "patroni", patroni.interval, out);
}

void check_cluster_names(const settings& s, findings& out)
{
    std::vector<std::string> names;
    for (const cluster_settings& cluster : s.clusters)
        names.push_back(cluster.name);
    // Without any cluster there is one problem, not one per listener.
    if (names.empty())
        return;

    // A hint looks at every name. Somebody with more typos than this renamed something, and in a
    // file of ten thousand listeners the hints would take minutes.
    int hints_left = 20;
    for (const listener_settings& listener : s.listeners)
    {
        if (listener.cluster.empty()) // missing, reported already
            continue;
        if (std::ranges::find(names, listener.cluster) != names.end())
            continue;
        const std::string hint =
            hints_left-- > 0 ? did_you_mean(listener.cluster, names) : std::string();
        out.push_back(
            {{"listeners/" + listener.name + "/cluster"},
             "unknown cluster " + quoted(listener.cluster) + hint}
        );
    }
}

void check_listeners_and_clusters(const settings& s, findings& out)
{
    std::map<std::string_view, const cluster_settings*> by_name;
    for (const cluster_settings& cluster : s.clusters)
        by_name.emplace(cluster.name, &cluster);
    for (const listener_settings& listener : s.listeners)
    {
        const auto found = by_name.find(listener.cluster);
        if (found == by_name.end()) // reported already
            continue;
        check_fit(listener, *found->second, out);
    }
}

struct bound
{
    std::string owner;
    std::string key;
    host_port address;
};

std::vector<bound> all_binds(const settings& s)
{
    std::vector<bound> out;
    for (const auto& group : groups_of(s.listeners)) // whose binds are the same
    {
        const listener_settings& listener = s.listeners[group.front()];
        for (std::size_t i = 0; i < listener.bind.size(); ++i)
            out.push_back(
                {"listener " + quoted(listener.name),
                 "listeners/" + listener.name + "/bind/" + std::to_string(i),
                 listener.bind[i]}
            );
    }
    out.push_back({"admin", "admin/bind", s.admin.bind});
    return out;
}

// Binds of one port and family, the first of each host or path.
class occupied
{
public:
    // The bind that `b` collides with, else nullptr and `b` is added. A wildcard collides with
    // every address of its family.
    const bound* add(const bound& b)
    {
        const std::string host = is_wildcard(b.address) ? "" : b.address.host;
        if (host.empty() && !by_host_.empty())
            return by_host_.begin()->second;
        for (const std::string& other : {std::string(), host})
        {
            const auto found = by_host_.find(other);
            if (found != by_host_.end())
                return found->second;
        }
        by_host_.emplace(host, &b);
        return nullptr;
    }

private:
    std::map<std::string, const bound*> by_host_; // "" is the wildcard
};

// Not left to bind(): sockets with SO_REUSEPORT may share an address, and the kernel would spread
// the clients of one listener over both. A unix socket is found in use only by its file, which the
// second listener would take for one that a dead process has left behind.
void check_binds(const settings& s, findings& out)
{
    const std::vector<bound> binds = all_binds(s);
    std::map<std::pair<std::uint16_t, address_family>, occupied> ports;
    for (const bound& b : binds)
    {
        if (b.address.port == 0 && !b.address.is_unix()) // the kernel picks a free one
            continue;
        const bound* const other = ports[{b.address.port, family_of(b.address)}].add(b);
        if (other != nullptr)
            out.push_back(
                {{b.key, other->key},
                 b.owner + " cannot bind " + quoted(format_address(b.address)) + ": " +
                     other->owner + " binds " + quoted(format_address(other->address))}
            );
    }
}

} // namespace

std::vector<finding> validate(const settings& s)
{
    findings out;
    if (s.clusters.empty())
        out.push_back({{"clusters"}, "at least one cluster is needed"});
    for (const cluster_settings& cluster : s.clusters)
        check_cluster(cluster, out);

    if (s.listeners.empty())
        out.push_back({{"listeners"}, "at least one listener is needed"});
    for (const listener_settings& listener : s.listeners)
        check_listener(listener, out);
    check_cluster_names(s, out);
    check_listeners_and_clusters(s, out);
    check_sharing(s, out);
    check_binds(s, out);
    return out;
}

} // namespace rolegate::config
