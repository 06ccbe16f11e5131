// SPDX-License-Identifier: PostgreSQL
#include "proxy/handed_history.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <array>
#include <optional>

namespace rolegate::proxy
{

namespace
{

namespace json = boost::json;
using std::chrono::nanoseconds;
using std::chrono::system_clock;

// To be raised when the meaning of a key changes; a key that is new needs no other version.
constexpr std::int64_t version = 1;

// Of a change; one process keeps half as many.
constexpr std::size_t most_steps = 64;

constexpr std::array<std::string_view, 6> known_steps = {
    "writes_stopped",
    "lock_lost",
    "sessions_cut",
    "lock_taken",
    "out_of_recovery",
    "first_session"};

const json::value& at(const json::object& o, std::string_view key)
{
    static const json::value none;
    const auto* found = o.if_contains(key);
    return found ? *found : none;
}

std::string text_at(const json::object& o, std::string_view key)
{
    const auto* text = at(o, key).if_string();
    return text ? std::string(text->data(), text->size()) : std::string();
}

std::int64_t number_at(const json::object& o, std::string_view key)
{
    const auto* number = at(o, key).if_int64();
    return number ? *number : 0;
}

template <class Use> void for_each_object(const json::value& list, Use use)
{
    if (const auto* all = list.if_array())
        for (const auto& each : *all)
            if (const auto* o = each.if_object())
                use(*o);
}

template <class Clock> std::int64_t ns_of(std::chrono::time_point<Clock> t)
{
    return std::chrono::duration_cast<nanoseconds>(t.time_since_epoch()).count();
}

json::object to_object(const role_step& s)
{
    // The steady clock is the machine's, and the same for both processes.
    return {
        {"step", std::string(s.step)},
        {"member", s.member},
        {"at_ns", ns_of(s.at)},
        {"detail", s.detail}};
}

json::object to_object(const role_change& c)
{
    json::array steps;
    for (const auto& s : c.steps)
        steps.push_back(to_object(s));
    return {
        {"id", c.id},
        {"cluster", c.cluster},
        {"from", c.from},
        {"to", c.to},
        {"began_ns", ns_of(c.began)},
        {"steps", std::move(steps)}};
}

bool is_number(const std::string& text)
{
    constexpr std::size_t digits = 15; // sums of it are numbers as well
    return !text.empty() && text.size() <= digits &&
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<role_step> step_from(const json::object& o)
{
    const auto known = std::ranges::find(known_steps, text_at(o, "step"));
    if (known == known_steps.end())
        return std::nullopt;
    role_step s{
        *known,
        text_at(o, "member"),
        health::time_point(nanoseconds(number_at(o, "at_ns"))),
        text_at(o, "detail")};
    if (s.step == "sessions_cut" && !is_number(s.detail))
        return std::nullopt; // it is counted on
    return s;
}

role_change change_from(const json::object& o)
{
    role_change c;
    c.id = static_cast<std::uint64_t>(std::max<std::int64_t>(number_at(o, "id"), 0));
    c.cluster = text_at(o, "cluster");
    c.from = text_at(o, "from");
    c.to = text_at(o, "to");
    c.began = system_clock::time_point(
        std::chrono::duration_cast<system_clock::duration>(nanoseconds(number_at(o, "began_ns")))
    );
    for_each_object(
        at(o, "steps"),
        [&c](const json::object& step)
        {
            if (auto s = step_from(step); s && c.steps.size() < most_steps)
                c.steps.push_back(*std::move(s));
        }
    );
    return c;
}

json::object to_object(const role_history::by_cluster& names)
{
    json::object o;
    for (const auto& [cluster, name] : names)
        o[cluster] = name;
    return o;
}

role_history::by_cluster names_from(const json::value& from)
{
    role_history::by_cluster names;
    if (const auto* all = from.if_object())
        for (const auto& [cluster, name] : *all)
            if (const auto* text = name.if_string())
                names[std::string(cluster)] = std::string(text->data(), text->size());
    return names;
}

} // namespace

json::object to_object(const role_history::memory& m)
{
    json::array changes;
    for (const auto& c : m.changes)
        changes.push_back(to_object(c));
    return {
        {"version", version},
        {"last_id", m.last_id},
        {"changes", std::move(changes)},
        {"holders", to_object(m.holders)},
        {"primaries", to_object(m.primaries)}};
}

role_history::memory history_from(const json::object& o)
{
    role_history::memory m;
    if (number_at(o, "version") != version)
        return m;
    for_each_object(
        at(o, "changes"),
        [&m](const json::object& change)
        {
            auto c = change_from(change);
            if (c.steps.empty() || c.cluster.empty())
                return;
            m.changes.push_back(std::move(c));
            if (m.changes.size() > role_history::max_changes)
                m.changes.pop_front();
        }
    );
    m.last_id = static_cast<std::uint64_t>(std::max<std::int64_t>(number_at(o, "last_id"), 0));
    m.holders = names_from(at(o, "holders"));
    m.primaries = names_from(at(o, "primaries"));
    return m;
}

} // namespace rolegate::proxy
