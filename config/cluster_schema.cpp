// SPDX-License-Identifier: PostgreSQL
#include "config/schema.hpp"

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
        },
        {"address_map"}
    );
    in.require(node, {"members"});
}

} // namespace

cluster_settings read_cluster(yaml_reader& in, const yaml_node& node)
{
    cluster_settings out;
    out.name = node.key;
    const auto read_stale_after = [&](const yaml_node& v)
    {
        milliseconds value{};
        in.duration(v, value, stale_range);
        if (!in.failed(v))
            out.stale_after = value;
    };
    // `address_map` may come to stand here or beside the members, so both places know it.
    in.map(
        node,
        {
            {"patroni", [&](const yaml_node& v) { read_patroni(in, v, out.patroni); }},
            {"stale_after", read_stale_after},
        },
        {"dcs",
         "postgres",
         "tcp",
         "address_map",
         "default_member",
         "member_options",
         "on_dcs_loss",
         "on_stale"}
    );
    // Whoever asked for another kind has been told; "missing" would only send him in circles.
    if (node.find("postgres") == nullptr && node.find("tcp") == nullptr)
        in.require(node, {"patroni"});
    return out;
}

} // namespace rolegate::config
