// SPDX-License-Identifier: PostgreSQL
#include "config/schema.hpp"

#include "config/address.hpp"

#include <chrono>

namespace rolegate::config
{
namespace
{

using namespace std::chrono_literals;

constexpr duration_range shutdown_range{0ms, 24h}; // 0: cut at once
// 0 would serve nobody; 1024 is more than any machine has use for.
constexpr integer_range worker_range{1, 1024};

using parse_address = parsed_address (*)(std::string_view);

// An address that cannot be read stays as an empty one, see schema.hpp. Port 0 and no host
// neither collide nor repeat, so nothing is said about it twice.
host_port
read_address(yaml_reader& in, const yaml_node& node, parse_address parse, std::string_view expected)
{
    const auto text = in.scalar(node, expected);
    if (!text)
        return {};
    parsed_address parsed = parse(*text);
    if (!parsed.value)
        in.fail(node, std::move(parsed.error));
    return parsed.value.value_or(host_port{});
}

void read_admin(yaml_reader& in, const yaml_node& node, admin_settings& out)
{
    in.map(
        node, {{"bind", [&](const yaml_node& v) { out.bind = read_bind(in, v); }}}, {"users", "tls"}
    );
}

log_level level_of(std::string_view word)
{
    if (word == "debug")
        return log_level::debug;
    if (word == "warning")
        return log_level::warning;
    return word == "error" ? log_level::error : log_level::info;
}

void read_log(yaml_reader& in, const yaml_node& node, log_level& out)
{
    const auto read_level = [&](const yaml_node& v)
    {
        if (const auto word = in.choice(v, {"debug", "info", "warning", "error"}))
            out = level_of(*word);
    };
    in.map(
        node,
        {
            {"level", read_level},
            {"format", [&](const yaml_node& v) { in.choice(v, {"text"}, {"json"}); }},
        },
        {"session_log"}
    );
}

void read_workers(yaml_reader& in, const yaml_node& node, std::optional<unsigned>& out)
{
    constexpr std::string_view expected = "auto or a whole number";
    const auto word = in.scalar(node, expected);
    if (!word || *word == "auto")
        return;
    if (const auto value = in.integer(node, worker_range, expected))
        out = static_cast<unsigned>(*value);
}

} // namespace

host_port read_bind(yaml_reader& in, const yaml_node& node)
{
    return read_address(in, node, parse_bind, "ADDR:PORT such as *:5432");
}

host_port read_member(yaml_reader& in, const yaml_node& node)
{
    return read_address(in, node, parse_member, "HOST:PORT such as 10.0.0.1:8008");
}

settings read_settings(yaml_reader& in, const yaml_node& root)
{
    settings out;
    const auto read_clusters = [&](const yaml_node& node)
    {
        const auto read = [&](const yaml_node& v) { out.clusters.push_back(read_cluster(in, v)); };
        in.named(node, "cluster", read);
    };
    const auto read_listeners = [&](const yaml_node& node)
    {
        const auto read = [&](const yaml_node& v)
        { out.listeners.push_back(read_listener(in, v)); };
        in.named(node, "listener", read);
    };
    in.map(
        root,
        {
            {"clusters", read_clusters},
            {"listeners", read_listeners},
            {"admin", [&](const yaml_node& v) { read_admin(in, v, out.admin); }},
            {"log", [&](const yaml_node& v) { read_log(in, v, out.level); }},
            {"workers", [&](const yaml_node& v) { read_workers(in, v, out.workers); }},
            {"shutdown_timeout",
             [&](const yaml_node& v) { in.duration(v, out.shutdown_timeout, shutdown_range); }},
        },
        {"default_member", "member_options"}
    );
    in.require(root, {"clusters", "listeners"});
    return out;
}

} // namespace rolegate::config
