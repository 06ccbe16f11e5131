// SPDX-License-Identifier: PostgreSQL
#include "proxy/topology_log.hpp"

#include "proxy/door_changes.hpp"
#include "proxy/log.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace rolegate::proxy
{

namespace
{

using config::log_level;
using health::topology;

std::int64_t in_ms(health::clock::duration d)
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

void add_age(
    log::line& to,
    std::string_view key,
    std::optional<health::time_point> seen,
    health::time_point now
)
{
    if (seen)
        to.add(key, in_ms(now - *seen));
}

// The evidence behind a verdict on the primary, with its age.
void add_evidence(log::line& to, const topology& t, const health::member* m, health::time_point now)
{
    if (t.kind == health::cluster_kind::patroni)
    {
        const bool held = t.lock.what == health::lock_belief::kind::held;
        to.name("lock_holder", held ? t.lock.holder : "").add("lock_source", t.lock.source);
        if (t.lock.what != health::lock_belief::kind::unknown)
            add_age(to, "lock_age_ms", t.lock.seen, now);
    }
    if (!m)
        return;
    add_age(to, "word_age_ms", m->word_seen, now);
    add_age(to, "sql_age_ms", m->sql_seen, now);
    to.add("rule", m->write.rule).text("reason", m->write.reason);
}

void tell_topology(const topology& t)
{
    log::line line(log_level::info, "topology");
    line.add("cluster", t.cluster).add("generation", static_cast<std::int64_t>(t.generation));
    if (t.has_roles())
        line.name("primary", t.primary() ? t.primary()->name : "")
            .add("timeline", static_cast<std::int64_t>(t.highest_timeline));
    if (t.kind == health::cluster_kind::patroni)
        line.add("lock_source", t.lock.source).name("lock_reporter", t.lock.reporter);
    line.text("cause", t.cause);
}

void tell_dcs(const topology& before, const topology& after)
{
    const auto& dcs = after.dcs;
    if (dcs.source.empty() || before.dcs.connected == dcs.connected)
        return;
    if (dcs.connected)
        log::line(log_level::info, "dcs_connected")
            .add("cluster", after.cluster)
            .add("source", dcs.source)
            .name("endpoint", dcs.endpoint);
    else
        log::line(log_level::warning, "dcs_lost")
            .add("cluster", after.cluster)
            .add("source", dcs.source)
            .name("endpoint", dcs.endpoint)
            .text("error", dcs.error);
}

void tell_primary(
    const topology& before,
    const topology& after,
    const primary_memory& last,
    health::time_point now
)
{
    const auto* was = before.primary();
    const auto* is = after.primary();
    if (was && is && was->name == is->name)
        return;
    if (was)
    {
        log::line line(log_level::warning, "primary_lost");
        line.add("cluster", after.cluster).name("member", was->name);
        add_evidence(line, after, after.find(was->name), now);
    }
    if (is)
    {
        log::line line(log_level::info, "primary_opened");
        line.add("cluster", after.cluster).name("member", is->name);
        if (is->timeline)
            line.add("timeline", static_cast<std::int64_t>(*is->timeline));
        line.name("previous", was ? was->name : last.name);
        if (was || last.lost)
            line.add("after_ms", was ? 0 : in_ms(now - *last.lost));
        add_evidence(line, after, is, now);
    }
}

// It is, or becomes, the primary: not for those who read from replicas, and nothing is wrong. One
// that only says so itself, without the lock, may have been promoted by hand.
bool left_for_writes(const topology& t, const member_turn& m)
{
    constexpr std::string_view rules[] = {"holds-lock", "fallback-over"};
    if (std::string_view(m.now.rule) != "is-primary")
        return std::ranges::find(rules, m.now.rule) != std::end(rules);
    const auto* writer = t.primary();
    return m.member == t.lock.holder || (writer && m.member == writer->name);
}

void tell_up(const topology& t, const member_turn& m)
{
    log::line(log_level::info, "member_up")
        .add("cluster", t.cluster)
        .add("listener", m.listener)
        .name("member", m.member)
        .add("rule", m.now.rule)
        .text("reason", m.now.reason);
}

void tell_down(const topology& t, const member_turn& m)
{
    const bool is_news = !left_for_writes(t, m);
    log::line(is_news ? log_level::warning : log_level::info, "member_down")
        .add("cluster", t.cluster)
        .add("listener", m.listener)
        .name("member", m.member)
        .add("verdict", health::to_string(m.now.verdict))
        .add("rule", m.now.rule)
        .text("reason", m.now.reason);
}

void tell_doors(const topology& before, const topology& after)
{
    const auto changes = changes_at_doors(before, after);
    for (const auto& m : changes.members)
        m.now.verdict == health::admission::open ? tell_up(after, m) : tell_down(after, m);
    for (const auto& l : changes.listeners)
        log::line(
            l.open ? log_level::info : log_level::warning, l.open ? "listener_up" : "listener_down"
        )
            .add("cluster", after.cluster)
            .add("listener", l.listener);
}

} // namespace

void tell_change(
    const topology& before,
    const topology& after,
    const primary_memory& last,
    health::time_point now
)
{
    tell_topology(after);
    tell_dcs(before, after);
    tell_primary(before, after, last, now);
    tell_doors(before, after);
}

} // namespace rolegate::proxy
