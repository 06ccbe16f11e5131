// SPDX-License-Identifier: PostgreSQL
#include "config/fit.hpp"

#include "config/quote.hpp"
#include "config/words.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace rolegate::config
{
namespace
{

// The keys that are set of those which narrow down the members.
std::vector<const char*> demands_of_replicas(const listener_settings& listener)
{
    std::vector<const char*> keys;
    const auto add = [&keys](bool is_set, const char* key)
    {
        if (is_set)
            keys.push_back(key);
    };
    add(listener.lag.has_value(), "lag");
    add(listener.lag_time.has_value(), "lag_time");
    add(!listener.replication_state.empty(), "replication_state");
    add(!listener.tags.empty(), "tags");
    add(!listener.prefer_tags.empty(), "prefer");
    add(listener.fallback_primary, "fallback");
    return keys;
}

// Of a protocol that is not known nothing can be read, answered or ended.
void check_listener_of_tcp(const listener_settings& listener, findings& out)
{
    const std::string path = "listeners/" + listener.name;
    const auto refuse = [&](bool is_set, const std::string& key, const std::string& what)
    {
        if (is_set)
            out.push_back({{path + key, path + "/cluster"}, what + " a cluster of kind 'tcp'"});
    };
    refuse(
        listener.role != listener_role::any,
        "/role",
        "only 'role: any', which may be left out, goes with"
    );
    refuse(
        listener.tls.mode == tls_mode::terminate, "/tls/mode", "'mode: terminate' does not go with"
    );
    refuse(
        listener.server_tls.sslmode != sslmode::disable,
        "/server_tls/sslmode",
        "'server_tls' does not go with"
    );
    refuse(
        listener.application_name_add_host,
        "/application_name_add_host",
        "'application_name_add_host' does not go with"
    );
    refuse(listener.rebalance > 0, "/rebalance", "'rebalance' does not go with");
    refuse(!listener.match.empty(), "/match", "'match' does not go with");
    for (const char* key : demands_of_replicas(listener))
        refuse(true, std::string("/") + key, quoted(key) + " does not go with");
}

// What only Patroni tells would never be met.
void check_listener_of_postgres(const listener_settings& listener, findings& out)
{
    const std::string path = "listeners/" + listener.name;
    const auto refuse = [&](const std::string& key, const std::string& what)
    {
        out.push_back(
            {{path + key, path + "/cluster"}, what + " is known of Patroni's clusters only"}
        );
    };
    constexpr std::array known{
        listener_role::primary,
        listener_role::replica,
        listener_role::read_only,
        listener_role::any};
    if (std::ranges::find(known, listener.role) == known.end())
        refuse("/role", "'role: " + word_of(listener_role_words, listener.role) + "'");
    for (const std::string_view key : demands_of_replicas(listener))
        if (key != "lag" && key != "lag_time" && key != "fallback")
            refuse("/" + std::string(key), quoted(key));
}

} // namespace

void check_demand(const listener_settings& listener, findings& out)
{
    const std::string path = "listeners/" + listener.name + "/";
    const std::string role = "'role: " + word_of(listener_role_words, listener.role) + "'";
    const auto refuse = [&](bool is_set, const char* key, const std::string& why)
    {
        if (is_set)
            out.push_back({{path + key, path + "role"}, quoted(key) + why});
    };
    if (is_leader_only(listener.role))
    {
        const std::string why = " means nothing beside " + role + ": there is one such member";
        refuse(listener.lag.has_value(), "lag", why);
        refuse(listener.lag_time.has_value(), "lag_time", why);
        refuse(!listener.replication_state.empty(), "replication_state", why);
        refuse(!listener.tags.empty(), "tags", why);
        refuse(!listener.prefer_tags.empty(), "prefer", why);
        refuse(listener.rebalance > 0, "rebalance", why);
    }
    const bool has_shares = listener.balance != balance_algorithm::first &&
                            listener.balance != balance_algorithm::source;
    if (listener.rebalance > 0 && !has_shares)
        out.push_back(
            {{path + "rebalance", path + "balance"},
             "'rebalance' does not go with 'balance: " + word_of(balance_words, listener.balance) +
                 "', which shares nothing by weight"}
        );
    if (!is_replica_only(listener.role))
        refuse(
            listener.fallback_primary,
            "fallback",
            " contradicts " + role + ", which leads to the primary anyway"
        );
}

void check_fit(const listener_settings& listener, const cluster_settings& cluster, findings& out)
{
    if (cluster.tcp)
        check_listener_of_tcp(listener, out);
    else if (cluster.postgres)
        check_listener_of_postgres(listener, out);
}

} // namespace rolegate::config
