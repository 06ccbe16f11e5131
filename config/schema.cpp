// SPDX-License-Identifier: PostgreSQL
#include "config/schema.hpp"

#include "config/address.hpp"
#include "config/quote.hpp"

#include <chrono>
#include <functional>

namespace rolegate::config
{
namespace
{

using namespace std::chrono_literals;

constexpr duration_range shutdown_range{0ms, 24h}; // 0: cut at once
// 16 bytes are slow, but work; 16 MB are more than the kernel's own buffers of a connection.
constexpr size_range buffer_range{16, std::int64_t{16} << 20};
// 0 would serve nobody; 1024 is more than any machine has use for.
constexpr integer_range worker_range{1, 1024};
constexpr integer_range limit_range{1, 1'000'000};
constexpr integer_range count_range{1, 1000};

constexpr std::string_view expected_bind = "ADDR:PORT such as *:5432";

using parse_address = std::function<parsed_address(std::string_view)>;

// An address that cannot be read stays as an empty one, see schema.hpp. Port 0 and no host
// neither collide nor repeat, so nothing is said about it twice.
host_port read_address(
    yaml_reader& in, const yaml_node& node, const parse_address& parse, std::string_view expected
)
{
    const auto text = in.scalar(node, expected);
    if (!text)
        return {};
    parsed_address parsed = parse(*text);
    if (!parsed.value)
        in.fail(node, std::move(parsed.error));
    return parsed.value.value_or(host_port{});
}

void read_log(yaml_reader& in, const yaml_node& node, settings& out)
{
    const auto read_sessions = [&](const yaml_node& v)
    { read_word(in, v, session_log_words, out.sessions); };
    in.map(
        node,
        {
            {"level", [&](const yaml_node& v) { read_word(in, v, log_level_words, out.level); }},
            {"format", [&](const yaml_node& v) { read_word(in, v, log_format_words, out.format); }},
            {"session_log", read_sessions},
        }
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
    return read_address(in, node, parse_bind, expected_bind);
}

host_port read_member(yaml_reader& in, const yaml_node& node)
{
    return read_address(in, node, parse_member, "HOST:PORT such as 10.0.0.1:8008");
}

host_port read_place(yaml_reader& in, const yaml_node& node, std::uint16_t usual_port)
{
    const auto parse = [usual_port](std::string_view text)
    { return parse_host_port(text, usual_port); };
    return read_address(
        in, node, parse, "HOST:PORT such as 10.0.0.1:" + std::to_string(usual_port)
    );
}

void read_count(yaml_reader& in, const yaml_node& node, unsigned& out)
{
    const std::string expected = "a whole number for " + quoted(node.key);
    if (const auto value = in.integer(node, count_range, expected))
        out = static_cast<unsigned>(*value);
}

void read_limit(yaml_reader& in, const yaml_node& node, std::size_t& out)
{
    const std::string expected = "a whole number for " + quoted(node.key);
    if (const auto value = in.integer(node, limit_range, expected))
        out = static_cast<std::size_t>(*value);
}

void read_limit(yaml_reader& in, const yaml_node& node, std::optional<std::size_t>& out)
{
    std::size_t value = 0;
    read_limit(in, node, value);
    if (!in.failed(node))
        out = value;
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
            {"log", [&](const yaml_node& v) { read_log(in, v, out); }},
            {"workers", [&](const yaml_node& v) { read_workers(in, v, out.workers); }},
            {"maxconn", [&](const yaml_node& v) { read_limit(in, v, out.maxconn); }},
            {"buffer_size", [&](const yaml_node& v) { in.size(v, out.buffer_size, buffer_range); }},
            {"shutdown_timeout",
             [&](const yaml_node& v) { in.duration(v, out.shutdown_timeout, shutdown_range); }},
        },
        {"default_member", "member_options"}
    );
    in.require(root, {"clusters", "listeners"});
    settle_roles(in, root, out);
    return out;
}

} // namespace rolegate::config
