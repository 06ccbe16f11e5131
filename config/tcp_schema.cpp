// SPDX-License-Identifier: PostgreSQL
//
// A service of any protocol: its members, their checks, and what a listener in front of it is.
#include "config/schema.hpp"

#include "config/quote.hpp"

#include <algorithm>
#include <chrono>

namespace rolegate::config
{
namespace
{

using namespace std::chrono_literals;

// A connect costs a server little; a member that is asked more often than this only gets slower.
constexpr duration_range pause_range{10ms, 1h};
constexpr duration_range check_range{1ms, 1h};
constexpr std::uint16_t usual_port = 2379; // etcd's, for the example in an error
constexpr integer_range port_range{1, 65535};
constexpr integer_range status_range{100, 599};

void read_optional(
    yaml_reader& in, const yaml_node& node, duration_range range, std::optional<milliseconds>& out
)
{
    milliseconds value{};
    in.duration(node, value, range);
    if (!in.failed(node))
        out = value;
}

// Both go into the request as they are: what is more than a word would be another request.
void read_method(yaml_reader& in, const yaml_node& node, std::string& out)
{
    in.text(node, out);
    const auto legal = [](char c) { return c >= 'A' && c <= 'Z'; };
    if (!in.failed(node) && (out.empty() || !std::ranges::all_of(out, legal)))
        in.fail(node, "expected a method such as OPTIONS, GET or HEAD, got " + quoted(out));
}

void read_uri(yaml_reader& in, const yaml_node& node, std::string& out)
{
    in.text(node, out);
    const auto legal = [](char c) { return c > ' ' && c < 0x7f; };
    const bool sound = (out.starts_with('/') && std::ranges::all_of(out, legal)) || out == "*";
    if (!in.failed(node) && !sound)
        in.fail(node, "expected a path such as /health, got " + quoted(out));
}

http_check_settings read_http(yaml_reader& in, const yaml_node& node)
{
    http_check_settings out;
    const auto read_port = [&](const yaml_node& v)
    {
        if (const auto value = in.integer(v, port_range, "a port"))
            out.port = static_cast<std::uint16_t>(*value);
    };
    const auto read_status = [&](const yaml_node& v)
    {
        if (const auto value = in.integer(v, status_range, "a status such as 200"))
            out.expect_status = static_cast<unsigned>(*value);
    };
    in.map(
        node,
        {
            {"method", [&](const yaml_node& v) { read_method(in, v, out.method); }},
            {"uri", [&](const yaml_node& v) { read_uri(in, v, out.uri); }},
            {"port", read_port},
            {"expect_status", read_status},
        }
    );
    return out;
}

// How often, and how many change a mind.
std::vector<yaml_key> pace_keys(yaml_reader& in, check_settings& out)
{
    return {
        {"inter", [&](const yaml_node& v) { in.duration(v, out.inter, pause_range); }},
        {"fastinter",
         [&](const yaml_node& v) { read_optional(in, v, pause_range, out.fastinter); }},
        {"downinter",
         [&](const yaml_node& v) { read_optional(in, v, pause_range, out.downinter); }},
        {"rise", [&](const yaml_node& v) { read_count(in, v, out.rise); }},
        {"fall", [&](const yaml_node& v) { read_count(in, v, out.fall); }},
        {"timeout", [&](const yaml_node& v) { read_optional(in, v, check_range, out.timeout); }},
    };
}

} // namespace

tcp_settings read_tcp(yaml_reader& in, const yaml_node& node)
{
    tcp_settings out;
    const auto read_members = [&](const yaml_node& v)
    {
        const auto read = [&](const yaml_node& item)
        { out.members.push_back(read_place(in, item, usual_port)); };
        in.list(v, "a list such as [10.0.0.1:2379]", read);
    };
    auto keys = pace_keys(in, out.check);
    keys.push_back({"members", read_members});
    in.map(node, keys);
    in.require(node, {"members"});
    return out;
}

std::optional<http_check_settings> read_check(yaml_reader& in, const yaml_node& node)
{
    std::optional<http_check_settings> out;
    in.map(node, {{"http", [&](const yaml_node& v) { out = read_http(in, v); }}});
    in.require(node, {"http"});
    return out;
}

std::optional<check_settings> read_member_check(yaml_reader& in, const yaml_node& node)
{
    check_settings out;
    auto keys = pace_keys(in, out);
    const auto read = [&](const yaml_node& v)
    {
        out.http = read_http(in, v);
        // The member's own is PostgreSQL's, which knows no HTTP.
        in.require(v, {"port"});
    };
    keys.push_back({"http", read});
    in.map(node, keys);
    in.require(node, {"http"});
    return out.http ? std::optional(out) : std::nullopt;
}

void refuse_beside_tcp(yaml_reader& in, const yaml_node& cluster)
{
    // Whoever hides several things in one cluster gets one of them only.
    if (const yaml_node* const patroni = cluster.find("patroni"))
        in.fail(
            *patroni, patroni->key_at, "a cluster is of one kind: 'patroni' cannot be beside 'tcp'"
        );
    for (const std::string_view key : {"dcs", "sql", "stale_after", "on_dcs_loss", "on_stale"})
    {
        if (const yaml_node* const found = cluster.find(key))
            in.fail(
                *found,
                found->key_at,
                quoted(key) + " has no meaning beside 'tcp', whose members are checked from here"
            );
    }
}

void settle_roles(yaml_reader& in, const yaml_node& root, settings& s)
{
    const yaml_node* const listeners = root.find("listeners");
    if (listeners == nullptr || listeners->kind != yaml_kind::map)
        return;
    // In the order of the file; what is a repetition or was refused has not been read.
    auto next = s.listeners.begin();
    for (const yaml_node& node : listeners->children)
    {
        if (next == s.listeners.end() || next->name != node.key)
            continue;
        listener_settings& l = *next++;
        if (node.kind != yaml_kind::map || node.find("role") != nullptr)
            continue;
        const auto cluster = std::ranges::find(s.clusters, l.cluster, &cluster_settings::name);
        if (cluster != s.clusters.end() && cluster->tcp)
            l.role = listener_role::any;
        else
            in.require(node, {"role"});
    }
}

} // namespace rolegate::config
