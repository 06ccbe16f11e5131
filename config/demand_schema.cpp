// SPDX-License-Identifier: PostgreSQL
//
// The keys of a listener that say what it demands of members.
#include "config/quote.hpp"
#include "config/schema.hpp"
#include "config/units.hpp"

#include <chrono>

namespace rolegate::config
{
namespace
{

using namespace std::chrono_literals;

// 0 would shut a replica out with every byte that is on its way.
constexpr size_range lag_range{1, std::int64_t{1} << 50};
constexpr duration_range lag_time_range{1ms, 24h};
constexpr size_range enter_range{0, lag_range.max};
constexpr duration_range enter_time_range{0ms, lag_time_range.max};
constexpr duration_range dwell_range{0ms, 1h};

void read_value(yaml_reader& in, const yaml_node& node, std::int64_t& out, size_range range)
{
    auto value = static_cast<std::size_t>(out);
    in.size(node, value, range);
    out = static_cast<std::int64_t>(value);
}

void read_value(yaml_reader& in, const yaml_node& node, milliseconds& out, duration_range range)
{
    in.duration(node, out, range);
}

std::string text_of(std::int64_t bytes)
{
    return format_size(bytes);
}

std::string text_of(milliseconds time)
{
    return format_duration(time);
}

// One value, which is `leave`, or both in a map. A replica that has caught up to half of the limit
// is likely to stay below it.
template <class T, class Range>
void read_limits(
    yaml_reader& in,
    const yaml_node& node,
    std::optional<lag_limit<T>>& out,
    Range for_leave,
    Range for_enter
)
{
    lag_limit<T> limit;
    if (node.kind != yaml_kind::map)
    {
        read_value(in, node, limit.leave, for_leave);
        limit.enter = limit.leave / 2;
        if (!in.failed(node))
            out = limit;
        return;
    }
    in.map(
        node,
        {
            {"leave", [&](const yaml_node& v) { read_value(in, v, limit.leave, for_leave); }},
            {"enter", [&](const yaml_node& v) { read_value(in, v, limit.enter, for_enter); }},
        }
    );
    in.require(node, {"leave"});
    const auto* const leave = node.find("leave");
    const auto* const enter = node.find("enter");
    if (leave == nullptr || in.failed(*leave) || (enter != nullptr && in.failed(*enter)))
        return;
    if (enter == nullptr)
        limit.enter = limit.leave / 2;
    if (limit.enter > limit.leave)
        in.fail(
            *enter,
            "'enter' (" + text_of(limit.enter) + ") must not be more than 'leave' (" +
                text_of(limit.leave) + ")"
        );
    out = limit;
}

} // namespace

void read_lag(yaml_reader& in, const yaml_node& node, std::optional<lag_limit<std::int64_t>>& out)
{
    read_limits(in, node, out, lag_range, enter_range);
}

void read_lag(yaml_reader& in, const yaml_node& node, std::optional<lag_limit<milliseconds>>& out)
{
    read_limits(in, node, out, lag_time_range, enter_time_range);
}

void read_lag_dwell(yaml_reader& in, const yaml_node& node, milliseconds& out)
{
    in.duration(node, out, dwell_range);
}

// Patroni's words.
void read_replication_state(yaml_reader& in, const yaml_node& node, std::string& out)
{
    if (auto word = in.choice(node, {"streaming", "in archive recovery"}))
        out = std::move(*word);
}

void read_tags(yaml_reader& in, const yaml_node& node, tag_map& out)
{
    const auto read = [&](const yaml_node& v) { in.text(v, out[v.key]); };
    in.entries(node, "tag", read);
    // Whoever writes it down means some; his template may have lost them on the way.
    if (node.kind == yaml_kind::map && node.children.empty())
        in.fail(node, "expected tags such as {zone: a}, got none");
}

void read_prefer(yaml_reader& in, const yaml_node& node, tag_map& out)
{
    in.map(node, {{"tags", [&](const yaml_node& v) { read_tags(in, v, out); }}});
    in.require(node, {"tags"});
}

} // namespace rolegate::config
