// SPDX-License-Identifier: PostgreSQL
#include "config/schema.hpp"

#include "config/network.hpp"
#include "config/quote.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace rolegate::config
{
namespace
{

using namespace std::chrono_literals;

// Not 0: forever or not at all? The latter is `max: 0`, the former leaves clients hanging.
constexpr duration_range hold_range{1ms, 1h};
// 0 is refused with a text of its own where it would be "never", see read_timeouts().
constexpr duration_range session_range{0ms, 24h};
constexpr duration_range drain_range{1ms, 24h};
// Less than a second would close the door during every failover; 0 is "never".
constexpr milliseconds shortest_withdrawal = 1s;
constexpr duration_range withdraw_range{0ms, 24h};
// For TCP_USER_TIMEOUT 0 would mean the system's default.
constexpr duration_range user_timeout_range{1ms, 24h};
// Linux refuses more: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL (seconds), MAX_TCP_KEEPCNT.
constexpr duration_range keepalive_range{1s, 32767s};
constexpr integer_range keepalive_count_range{1, 127};
constexpr integer_range held_range{0, 1'000'000}; // 0: nobody is held

void read_binds(yaml_reader& in, const yaml_node& node, std::vector<host_port>& out)
{
    if (node.kind != yaml_kind::sequence)
    {
        out.push_back(read_bind(in, node));
        return;
    }
    in.list(node, "a list", [&](const yaml_node& item) { out.push_back(read_bind(in, item)); });
}

void read_cluster_name(yaml_reader& in, const yaml_node& node, std::string& out)
{
    in.text(node, out);
    if (out.empty() && !in.failed(node))
        in.fail(node, "expected the name of a cluster, got nothing");
}

void read_queue(yaml_reader& in, const yaml_node& node, queue_settings& out)
{
    const auto read_max = [&](const yaml_node& v)
    {
        if (const auto value = in.integer(v, held_range))
            out.max = static_cast<std::size_t>(*value);
    };
    in.map(
        node,
        {
            {"timeout", [&](const yaml_node& v) { in.duration(v, out.timeout, hold_range); }},
            {"max", read_max},
        }
    );
}

void read_timeouts(yaml_reader& in, const yaml_node& node, listener_timeouts& out)
{
    const auto read_or_never = [&](const yaml_node& v, milliseconds& target)
    { in.duration(v, target, session_range); };
    const auto read = [&](const yaml_node& v, milliseconds& target)
    {
        read_or_never(v, target);
        // Sessions that hang before they have begun are of use to nobody.
        if (target == 0ms)
            in.fail(v, quoted(v.key + ": 0") + " (never) is not supported by this version yet");
    };
    in.map(
        node,
        {
            {"handshake", [&](const yaml_node& v) { read(v, out.handshake); }},
            {"connect", [&](const yaml_node& v) { read(v, out.connect); }},
            {"client", [&](const yaml_node& v) { read_or_never(v, out.client); }},
            {"server", [&](const yaml_node& v) { read_or_never(v, out.server); }},
            {"client_fin", [&](const yaml_node& v) { read(v, out.client_fin); }},
        }
    );
}

void read_keepalive(yaml_reader& in, const yaml_node& node, keepalive_settings& out)
{
    // The kernel counts in seconds; a fraction would silently be dropped.
    const auto read_seconds = [&](const yaml_node& v, milliseconds& target)
    {
        in.duration(v, target, keepalive_range);
        if (target % 1s != 0ms)
            in.fail(
                v, quoted(v.key) + " must be whole seconds, got " + quoted(format_duration(target))
            );
    };
    const auto read_count = [&](const yaml_node& v)
    {
        if (const auto value = in.integer(v, keepalive_count_range))
            out.count = static_cast<int>(*value);
    };
    in.map(
        node,
        {
            {"idle", [&](const yaml_node& v) { read_seconds(v, out.idle); }},
            {"interval", [&](const yaml_node& v) { read_seconds(v, out.interval); }},
            {"count", read_count},
        }
    );
}

void read_drain(yaml_reader& in, const yaml_node& node, milliseconds& deadline)
{
    const auto read = [&](const yaml_node& v) { in.duration(v, deadline, drain_range); };
    in.map(node, {{"deadline", read}});
}

// "5%": a bare number could be sessions.
void read_rebalance(yaml_reader& in, const yaml_node& node, unsigned& out)
{
    constexpr std::string_view expected = "off or a share such as 5%";
    const auto text = in.scalar(node, expected);
    if (!text)
        return;
    if (*text == "off")
    {
        out = 0;
        return;
    }
    unsigned value = 0;
    const auto* end = text->data() + text->size();
    const auto [at, ec] = std::from_chars(text->data(), end, value);
    const bool sound = ec == std::errc() && std::string_view(at, end) == "%";
    if (!sound || value < 1 || value > 100)
        return in.fail(
            node,
            std::string("expected ").append(expected).append(" (1% to 100%), got ") + quoted(*text)
        );
    out = value;
}

void read_withdraw_after(yaml_reader& in, const yaml_node& node, milliseconds& out)
{
    in.duration(node, out, withdraw_range);
    if (out != 0ms && out < shortest_withdrawal)
        in.fail(
            node,
            quoted(node.key) + " must be 0 (never) or at least " +
                format_duration(shortest_withdrawal) + ", got " + quoted(format_duration(out))
        );
}

void read_handshakes(yaml_reader& in, const yaml_node& node, handshake_limits& out)
{
    in.map(
        node,
        {
            {"max", [&](const yaml_node& v) { read_limit(in, v, out.max); }},
            {"per_address", [&](const yaml_node& v) { read_limit(in, v, out.per_address); }},
        }
    );
}

void read_networks(
    yaml_reader& in, const yaml_node& node, std::string_view expected, std::vector<network>& out
)
{
    const auto read = [&](const yaml_node& item)
    {
        const auto text = in.scalar(item, "a network such as 10.0.0.0/8");
        if (!text)
            return;
        parsed_network parsed = parse_network(*text);
        if (!parsed.value)
            return in.fail(item, std::move(parsed.error));
        out.push_back(std::move(*parsed.value));
    };
    in.list(node, expected, read);
}

void read_allow(yaml_reader& in, const yaml_node& node, std::vector<network>& out)
{
    read_networks(in, node, "a list such as [10.0.0.0/8]", out);
    // Whoever writes it down means nobody, or his template lost the networks on the way.
    if (node.kind == yaml_kind::sequence && node.children.empty())
        in.fail(
            node,
            "an empty list would let nobody in; without " + quoted(node.key) + " everybody may come"
        );
}

void read_accept_proxy(yaml_reader& in, const yaml_node& node, std::vector<network>& out)
{
    constexpr std::string_view expected = "off or a list such as [10.0.0.0/8]";
    if (node.kind != yaml_kind::scalar)
        return read_networks(in, node, expected, out);
    const auto word = in.scalar(node, expected);
    if (word && *word != "off")
        in.fail(
            node, std::string("expected ").append(expected).append(", got ").append(quoted(*word))
        );
}

} // namespace

listener_settings read_listener(yaml_reader& in, const yaml_node& node)
{
    listener_settings out;
    out.name = node.key;
    in.map(
        node,
        {
            {"bind", [&](const yaml_node& v) { read_binds(in, v, out.bind); }},
            {"match", [&](const yaml_node& v) { read_match(in, v, out.match); }},
            {"cluster", [&](const yaml_node& v) { read_cluster_name(in, v, out.cluster); }},
            {"role", [&](const yaml_node& v) { read_word(in, v, listener_role_words, out.role); }},
            {"lag", [&](const yaml_node& v) { read_lag(in, v, out.lag); }},
            {"lag_time", [&](const yaml_node& v) { read_lag(in, v, out.lag_time); }},
            {"lag_dwell", [&](const yaml_node& v) { read_lag_dwell(in, v, out.lag_dwell); }},
            {"replication_state",
             [&](const yaml_node& v) { read_replication_state(in, v, out.replication_state); }},
            {"tags", [&](const yaml_node& v) { read_tags(in, v, out.tags); }},
            {"prefer", [&](const yaml_node& v) { read_prefer(in, v, out.prefer_tags); }},
            {"fallback",
             [&](const yaml_node& v)
             { out.fallback_primary = in.choice(v, {"primary"}).has_value(); }},
            {"balance", [&](const yaml_node& v) { read_word(in, v, balance_words, out.balance); }},
            {"queue", [&](const yaml_node& v) { read_queue(in, v, out.queue); }},
            {"timeouts", [&](const yaml_node& v) { read_timeouts(in, v, out.timeouts); }},
            {"keepalive", [&](const yaml_node& v) { read_keepalive(in, v, out.keepalive); }},
            {"tcp_user_timeout",
             [&](const yaml_node& v) { in.duration(v, out.tcp_user_timeout, user_timeout_range); }},
            {"tls", [&](const yaml_node& v) { out.tls = read_listener_tls(in, v); }},
            {"server_tls", [&](const yaml_node& v) { out.server_tls = read_server_tls(in, v); }},
            {"maxconn", [&](const yaml_node& v) { read_limit(in, v, out.maxconn); }},
            {"handshakes", [&](const yaml_node& v) { read_handshakes(in, v, out.handshakes); }},
            {"on_marked_down",
             [&](const yaml_node& v) { read_word(in, v, marked_down_words, out.on_marked_down); }},
            {"drain", [&](const yaml_node& v) { read_drain(in, v, out.drain_deadline); }},
            {"rebalance", [&](const yaml_node& v) { read_rebalance(in, v, out.rebalance); }},
            {"withdraw_after",
             [&](const yaml_node& v) { read_withdraw_after(in, v, out.withdraw_after); }},
            {"allow", [&](const yaml_node& v) { read_allow(in, v, out.allow); }},
            {"accept_proxy",
             [&](const yaml_node& v) { read_accept_proxy(in, v, out.accept_proxy); }},
            {"application_name_add_host",
             [&](const yaml_node& v) { in.boolean(v, out.application_name_add_host); }},
        }
    );
    in.require(node, {"bind", "cluster"}); // `role`: see settle_roles()
    return out;
}

} // namespace rolegate::config
