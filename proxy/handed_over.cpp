// SPDX-License-Identifier: PostgreSQL
#include "proxy/handed_over.hpp"

#include "proxy/handed_history.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace rolegate::proxy
{

namespace
{

namespace json = boost::json;

std::vector<std::string> texts_of(const json::object& from, std::string_view key)
{
    std::vector<std::string> texts;
    const auto* found = from.if_contains(key);
    if (const auto* list = found ? found->if_array() : nullptr)
        for (const auto& each : *list)
            if (const auto* text = each.if_string())
                texts.emplace_back(text->data(), text->size());
    return texts;
}

std::string_view text_of(const json::object& from, std::string_view key)
{
    const auto* found = from.if_contains(key);
    const auto* text = found ? found->if_string() : nullptr;
    return text ? std::string_view(*text) : std::string_view();
}

// {"who": "dba", "at": seconds since 1970}
json::object to_object(const ordered_by& by)
{
    return {{"who", by.who}, {"at", std::chrono::system_clock::to_time_t(by.at)}};
}

ordered_by ordered_by_from(const json::object& o)
{
    ordered_by by;
    by.who = text_of(o, "who");
    const auto* at = o.if_contains("at");
    if (const auto* seconds = at ? at->if_int64() : nullptr)
        by.at = std::chrono::system_clock::from_time_t(*seconds);
    return by;
}

json::object to_object(const standing_orders& orders)
{
    json::object members;
    for (const auto& [cluster, of_cluster] : orders.members)
    {
        json::object states;
        for (const auto& [member, order] : of_cluster)
        {
            auto o = to_object(order.by);
            o["state"] = health::to_string(order.state);
            states[member] = std::move(o);
        }
        members[cluster] = std::move(states);
    }
    json::object paused;
    for (const auto& [listener, by] : orders.paused)
        paused[listener] = to_object(by);
    return {{"members", std::move(members)}, {"paused", std::move(paused)}};
}

// Each object within the one of this name.
template <class Use> void for_each_in(const json::object& from, std::string_view key, Use use)
{
    const auto* found = from.if_contains(key);
    if (const auto* all = found ? found->if_object() : nullptr)
        for (const auto& [name, value] : *all)
            if (const auto* o = value.if_object())
                use(std::string(name), *o);
}

standing_orders orders_from(const json::object& o)
{
    standing_orders orders;
    const auto read_member =
        [&](const std::string& cluster, const std::string& member, const json::object& order)
    {
        if (const auto state = health::operator_state_from(text_of(order, "state")))
            orders.set_member(cluster, member, {*state, ordered_by_from(order)});
    };
    for_each_in(
        o,
        "members",
        [&](const std::string& cluster, const json::object& states)
        {
            for (const auto& [name, value] : states)
                if (const auto* order = value.if_object())
                    read_member(cluster, std::string(name), *order);
        }
    );
    for_each_in(
        o,
        "paused",
        [&](const std::string& listener, const json::object& by)
        { orders.set_paused(listener, true, ordered_by_from(by)); }
    );
    return orders;
}

// Names and reasons come from outside, and are written as the bytes they are: one that is not UTF-8
// must not take everything else with it.
std::optional<json::object> object_in(std::string_view text)
{
    json::parse_options as_written;
    as_written.allow_invalid_utf8 = true;
    boost::system::error_code broken;
    auto value = json::parse({text.data(), text.size()}, broken, {}, as_written);
    if (broken || !value.is_object())
        return std::nullopt;
    return std::move(value.as_object());
}

} // namespace

std::string to_json(const standing_orders& orders)
{
    return json::serialize(to_object(orders));
}

std::optional<standing_orders> standing_orders_from(std::string_view text)
{
    const auto o = object_in(text);
    return o ? std::optional(orders_from(*o)) : std::nullopt;
}

std::string to_json(const handed_over& what)
{
    json::object o;
    o["pid"] = what.pid;
    o["orders"] = to_object(what.orders);
    o["socket_files"] = json::array(what.socket_files.begin(), what.socket_files.end());
    o["history"] = to_object(what.history);
    return json::serialize(o);
}

std::optional<handed_over> handed_over_from(std::string_view text)
{
    const auto o = object_in(text);
    if (!o)
        return std::nullopt;
    handed_over h;
    const auto* pid = o->if_contains("pid");
    if (const auto* number = pid ? pid->if_int64() : nullptr)
        h.pid = static_cast<long>(*number);
    const auto* orders = o->if_contains("orders");
    if (const auto* each = orders ? orders->if_object() : nullptr)
        h.orders = orders_from(*each);
    h.socket_files = texts_of(*o, "socket_files");
    const auto* history = o->if_contains("history");
    if (const auto* all = history ? history->if_object() : nullptr)
        h.history = history_from(*all);
    return h;
}

} // namespace rolegate::proxy
