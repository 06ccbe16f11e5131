// SPDX-License-Identifier: PostgreSQL
#include "health/dcs/etcd2_messages.hpp"

#include "health/patroni/json_fields.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace rolegate::health::dcs::etcd2
{
namespace
{

namespace json = boost::json;
using patroni::array_at;
using patroni::count_at;
using patroni::object_at;
using patroni::parse_object;
using patroni::text_at;

// Patroni's own keys are three directories deep, with Citus. parse_object() refuses what is nested
// beyond 15 directories; what is between is skipped.
constexpr int max_depth = 8;

failure not_etcd(std::string text)
{
    return {-1, std::move(text)};
}

// {"errorCode":100,"message":"Key not found","cause":"/service","index":3}; a refused login is
// {"message":"Insufficient credentials"} alone.
failure failure_in(const json::object& in)
{
    const auto code = count_at(in, "errorCode");
    std::string text(text_at(in, "message"));
    if (text.empty())
        text = code ? "an error without a message" : "the body has no 'node'";
    return {code && *code <= 9999 ? static_cast<int>(*code) : -1, std::move(text)};
}

// Longer than text_at() lets through, and not for people.
std::string raw_at(const json::object& in, std::string_view key)
{
    const auto* v = in.if_contains(key);
    const auto* text = v != nullptr ? v->if_string() : nullptr;
    return text != nullptr ? std::string(*text) : std::string();
}

bool is_directory(const json::object& in) noexcept
{
    return patroni::flag_at(in, "dir");
}

// etcd rounds up; it omits a 0, and counts below it until the next sweep.
std::optional<std::int64_t> ttl_in(const json::object& in) noexcept
{
    if (!in.contains("ttl") && !in.contains("expiration"))
        return std::nullopt;
    return count_at(in, "ttl").value_or(0);
}

node leaf_from(const json::object& in, std::string name)
{
    return {
        {std::move(name), raw_at(in, "value"), 0},
        ttl_in(in),
        static_cast<std::uint64_t>(count_at(in, "modifiedIndex").value_or(0))};
}

void unfold(const json::object& in, std::string_view prefix, int depth, std::vector<node>& out)
{
    if (is_directory(in))
    {
        const auto* nodes = depth < max_depth ? array_at(in, "nodes") : nullptr;
        if (nodes == nullptr)
            return;
        for (const auto& entry : *nodes)
            if (const auto* child = entry.if_object())
                unfold(*child, prefix, depth + 1, out);
        return;
    }
    const auto name = raw_at(in, "key");
    if (name.starts_with(prefix))
        out.push_back(leaf_from(in, name.substr(prefix.size())));
}

// Whether a key is gone after this; nullopt: no action that a watch reports.
std::optional<bool> deletes(std::string_view action) noexcept
{
    static constexpr std::array<std::pair<std::string_view, bool>, 7> actions{{
        {"set", false},
        {"create", false},
        {"update", false},
        {"compareAndSwap", false},
        {"delete", true},
        {"expire", true},
        {"compareAndDelete", true},
    }};
    for (const auto& [name, is_deletion] : actions)
        if (name == action)
            return is_deletion;
    return std::nullopt;
}

// "/service" and "/service/demo" hold all of "/service/demo/": whoever watches a directory is told
// of its own end, and of that of those above it.
bool is_above(std::string_view directory, std::string_view prefix) noexcept
{
    return prefix.starts_with(directory) && prefix.substr(directory.size()).starts_with('/');
}

answer<json::object> parsed(std::string_view body)
{
    // A wait that etcd gave up ends so, with status 200.
    if (body.empty())
        return not_etcd("empty answer");
    auto in = parse_object(body);
    if (!in)
        return not_etcd(in.error());
    return std::move(*in);
}

} // namespace

answer<std::vector<node>> decode_get(std::string_view body, std::string_view prefix)
{
    auto in = parsed(body);
    if (const auto* failed = std::get_if<failure>(&in))
        return *failed;
    const auto& object = std::get<json::object>(in);
    const auto* top = object_at(object, "node");
    if (top == nullptr)
        return failure_in(object);

    std::vector<node> nodes;
    unfold(*top, prefix, 0, nodes);
    return nodes;
}

answer<event> decode_event(std::string_view body, std::string_view prefix)
{
    auto in = parsed(body);
    if (const auto* failed = std::get_if<failure>(&in))
        return *failed;
    const auto& object = std::get<json::object>(in);
    const auto* changed = object_at(object, "node");
    if (changed == nullptr)
        return failure_in(object);
    const auto deleted = deletes(text_at(object, "action"));
    if (!deleted)
        return not_etcd("'action' is none that changes a key");
    // Where to wait on from: without it the next wait would miss something, or see it twice.
    const auto index = count_at(*changed, "modifiedIndex");
    if (!index)
        return not_etcd("'modifiedIndex' is missing");

    const auto name = raw_at(*changed, "key");
    const bool above = is_above(name, prefix);
    if (!above && !name.starts_with(prefix))
        return not_etcd("'key' is not below the prefix");
    auto leaf = leaf_from(*changed, above ? std::string() : name.substr(prefix.size()));
    event out;
    out.modified_index = leaf.modified_index;
    out.deleted = *deleted;
    out.directory = above || is_directory(*changed);
    out.kv = std::move(leaf.kv);
    out.ttl = leaf.ttl;
    return out;
}

} // namespace rolegate::health::dcs::etcd2
