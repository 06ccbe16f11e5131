// SPDX-License-Identifier: PostgreSQL
#include "config/schema.hpp"

#include "config/quote.hpp"

#include <chrono>

namespace rolegate::config
{
namespace
{

using namespace std::chrono_literals;

// Patroni's REST API answers in a few milliseconds; asking it more often than every 10 ms only
// loads the members.
constexpr duration_range poll_range{10ms, 1h};
// 0 would fail every request before it is sent.
constexpr duration_range request_range{1ms, 1h};
// How it relates to the interval is validate()'s business.
constexpr duration_range stale_range{1ms, 24h};
// HAProxy's. Its 0, "no new sessions", would be a member that looks used and is not.
constexpr integer_range weight_range{1, 256};
constexpr integer_range waiting_range{0, 1'000'000}; // 0: any number, as in HAProxy
constexpr duration_range slowstart_range{0ms, 24h};  // 0: at once

void read_client_tls(yaml_reader& in, const yaml_node& node, std::optional<client_tls>& out)
{
    // An empty map is enough to turn HTTPS on.
    client_tls& tls = out.emplace();
    in.map(
        node,
        {
            {"ca", [&](const yaml_node& v) { in.text(v, tls.ca); }},
            {"cert", [&](const yaml_node& v) { in.text(v, tls.cert); }},
            {"key", [&](const yaml_node& v) { in.text(v, tls.key); }},
            {"verify", [&](const yaml_node& v) { in.boolean(v, tls.verify); }},
        }
    );
}

void read_members(yaml_reader& in, const yaml_node& node, std::vector<host_port>& out)
{
    const auto read = [&](const yaml_node& item) { out.push_back(read_member(in, item)); };
    in.list(node, "a list such as [10.0.0.1:8008]", read);
}

// In Patroni's own file everything is Patroni's, so the DCS is easily put here.
void refuse_inside(yaml_reader& in, const yaml_node& node)
{
    in.fail(node, node.key_at, quoted(node.key) + " belongs beside 'patroni', not inside it");
}

void read_patroni(yaml_reader& in, const yaml_node& node, patroni_settings& out)
{
    in.map(
        node,
        {
            {"members", [&](const yaml_node& v) { read_members(in, v, out.members); }},
            {"scope", [&](const yaml_node& v) { in.text(v, out.scope); }},
            {"interval", [&](const yaml_node& v) { in.duration(v, out.interval, poll_range); }},
            {"fast_interval",
             [&](const yaml_node& v) { in.duration(v, out.fast_interval, poll_range); }},
            {"timeout", [&](const yaml_node& v) { in.duration(v, out.timeout, request_range); }},
            {"tls", [&](const yaml_node& v) { read_client_tls(in, v, out.tls); }},
            {"address_map", [&](const yaml_node& v) { read_address_map(in, v, out.address_map); }},
            {"proxy_url", [&](const yaml_node& v) { in.boolean(v, out.proxy_url); }},
            {"dcs", [&](const yaml_node& v) { refuse_inside(in, v); }},
            {"sql", [&](const yaml_node& v) { refuse_inside(in, v); }},
        }
    );
}

void read_stale_after(yaml_reader& in, const yaml_node& node, std::optional<milliseconds>& out)
{
    milliseconds value{};
    in.duration(node, value, stale_range);
    if (!in.failed(node))
        out = value;
}

void read_member_settings(yaml_reader& in, const yaml_node& node, member_settings& out)
{
    const auto read_weight = [&](const yaml_node& v)
    {
        if (const auto value = in.integer(v, weight_range, "a whole number for 'weight'"))
            out.weight = static_cast<unsigned>(*value);
    };
    const auto read_maxqueue = [&](const yaml_node& v)
    {
        if (const auto value = in.integer(v, waiting_range, "a whole number for 'maxqueue'"))
            out.maxqueue = static_cast<std::size_t>(*value);
    };
    in.map(
        node,
        {
            {"weight", read_weight},
            {"maxconn", [&](const yaml_node& v) { read_limit(in, v, out.maxconn); }},
            {"maxqueue", read_maxqueue},
            {"slowstart",
             [&](const yaml_node& v) { in.duration(v, out.slowstart, slowstart_range); }},
            {"backup", [&](const yaml_node& v) { in.boolean(v, out.backup); }},
        }
    );
}

// What an entry leaves out is as in `default_member`, as HAProxy's default-server has it.
// Not named(): these names are Patroni's, which limits them less than we do ours.
void read_member_options(yaml_reader& in, const yaml_node& node, cluster_settings& out)
{
    const auto read = [&](const yaml_node& v)
    {
        if (v.key.empty())
            in.fail(v, v.key_at, "expected the name of a member, got nothing");
        member_settings member = out.default_member;
        read_member_settings(in, v, member);
        out.member_options[v.key] = member;
    };
    in.entries(node, "member", read);
}

// What must be there depends on what else is: a DCS knows the members.
void require_members(yaml_reader& in, const yaml_node& cluster)
{
    // Whoever asked for another kind, or put the DCS into the wrong place, has been told; "missing"
    // would only send him in circles.
    const yaml_node* const patroni = cluster.find("patroni");
    for (const std::string_view key : {"dcs", "postgres", "tcp"})
    {
        if (cluster.find(key) != nullptr || (patroni != nullptr && patroni->find(key) != nullptr))
            return;
    }
    in.require(cluster, {"patroni"});
    if (patroni != nullptr)
        in.require(*patroni, {"members"});
}

} // namespace

cluster_settings read_cluster(yaml_reader& in, const yaml_node& node)
{
    cluster_settings out;
    out.name = node.key;
    const yaml_node* member_options = nullptr;
    const yaml_node* check = nullptr;
    in.map(
        node,
        {
            {"patroni", [&](const yaml_node& v) { read_patroni(in, v, out.patroni); }},
            {"postgres", [&](const yaml_node& v) { out.postgres = read_postgres(in, v); }},
            {"tcp", [&](const yaml_node& v) { out.tcp = read_tcp(in, v); }},
            {"check", [&](const yaml_node& v) { check = &v; }},
            {"dcs", [&](const yaml_node& v) { out.dcs = read_dcs(in, v); }},
            {"sql", [&](const yaml_node& v) { out.sql = read_sql(in, v); }},
            {"stale_after", [&](const yaml_node& v) { read_stale_after(in, v, out.stale_after); }},
            {"on_dcs_loss",
             [&](const yaml_node& v) { read_word(in, v, dcs_loss_words, out.on_dcs_loss); }},
            {"on_stale",
             [&](const yaml_node& v) { read_word(in, v, stale_action_words, out.on_stale); }},
            {"default_member",
             [&](const yaml_node& v) { read_member_settings(in, v, out.default_member); }},
            {"member_options", [&](const yaml_node& v) { member_options = &v; }},
        }
    );
    // Only now: `default_member` may stand below.
    if (member_options != nullptr)
        read_member_options(in, *member_options, out);
    if (check != nullptr && out.tcp)
        out.tcp->check.http = read_check(in, *check);
    else if (check != nullptr)
        out.check = read_member_check(in, *check);
    if (out.tcp)
        refuse_beside_tcp(in, node);
    require_members(in, node);
    if (out.postgres)
        refuse_beside_postgres(in, node);
    return out;
}

} // namespace rolegate::config
