// SPDX-License-Identifier: PostgreSQL
#include "proxy/cluster_record.hpp"

#include "proxy/log.hpp"

#include <chrono>
#include <utility>

namespace rolegate::proxy
{

using config::log_level;

namespace
{

constexpr std::chrono::seconds failure_memory{15};

// Of one question to one member in ten seconds, of each kind.
constexpr unsigned lines_told = 5;

} // namespace

void cluster_record::on_topology(
    const health::topology& before, const health::topology& after, health::time_point now
)
{
    tell_change(before, after, last_, now);
    note_primary(before, after, now);
    services_.on_topology(after, now);
}

void cluster_record::note_primary(
    const health::topology& before, const health::topology& after, health::time_point now
)
{
    const auto* p = after.primary();
    if (p && (p->name != last_.name || last_.lost))
        ++role_changes_["promoted"];
    // One that is only known from the process before may come in a moment.
    if (!p && before.primary() && !last_.lost)
    {
        ++role_changes_["lost"];
        last_.lost = now;
    }
    if (p && last_.lost)
        write_unavailable_.observe(std::chrono::duration<double>(now - *last_.lost).count());
    if (p)
        last_ = {p->name, std::nullopt};
}

void cluster_record::on_check(const health::check& c, health::time_point now)
{
    ++checks_.checks[{c.member, c.source, c.error.empty() ? "ok" : "error"}];
    checks_.seconds[c.source].observe(c.took.count());
    checks_.last_seconds[c.member] = c.took.count();

    if (c.member != c.address)
        forget_failures(c.address, c.source, now); // of the time before its name was known
    // Of a member that fails a thousand times people want the first line and the last.
    const check_key key{c.member, c.source, c.path};
    const auto was = failures_.find(key);
    const bool said = was == failures_.end() ? c.error.empty() : was->second.error == c.error;
    if (c.error.empty())
    {
        failures_.erase(key);
        // A question that is asked no more would stay failed for ever.
        forget_failures(c.member, c.source, now - failure_memory);
    }
    else
        failures_[key] = {c.error, now};
    if (said)
        return;
    const bool good = c.error.empty();
    log::line line(good ? log_level::info : log_level::warning, good ? "check_ok" : "check_failed");
    line.add("cluster", c.cluster)
        .name("member", c.member)
        .add("source", c.source)
        .add("path", c.path);
    if (!good)
        line.text("error", c.error);
    // One that fails and answers by turns, or each time in another way.
    line.limit(
        lines_told,
        {{"cluster", c.cluster}, {"member", c.member}, {"source", c.source}, {"path", c.path}}
    );
}

void cluster_record::forget_failures(
    const std::string& member, const std::string& source, health::time_point until
)
{
    std::erase_if(
        failures_,
        [&](const auto& f)
        { return f.first.member == member && f.first.source == source && f.second.seen <= until; }
    );
}

cluster_view cluster_record::view(health::topology_ptr believed) const
{
    return {
        std::move(believed),
        checks_,
        role_changes_,
        write_unavailable_,
        failures_,
        services_.records(),
        {},
        {},
        {}};
}

} // namespace rolegate::proxy
