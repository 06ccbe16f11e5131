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

} // namespace

void cluster_record::on_topology(const health::topology& t, health::time_point now)
{
    note_primary(t, now);
    services_.on_topology(t, now);
    const auto* primary = t.primary();
    log::line line(log_level::info, "topology");
    line.add("cluster", t.cluster).add("generation", static_cast<std::int64_t>(t.generation));
    if (t.has_roles())
        line.add("primary", primary ? log::quoted(primary->name) : "-")
            .add("timeline", static_cast<std::int64_t>(t.highest_timeline));
    if (t.kind == health::cluster_kind::patroni)
        line.add("lock_source", t.lock.source).add("lock_reporter", t.lock.reporter);
    line.text("cause", t.cause);
}

void cluster_record::note_primary(const health::topology& t, health::time_point now)
{
    const auto* p = t.primary();
    if (p && p->name != primary_)
        ++role_changes_["promoted"];
    if (!p && !primary_.empty())
    {
        ++role_changes_["lost"];
        unavailable_since_ = now;
    }
    if (p && unavailable_since_)
    {
        write_unavailable_.observe(std::chrono::duration<double>(now - *unavailable_since_).count()
        );
        unavailable_since_.reset();
    }
    primary_ = p ? p->name : "";
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
    log::line(
        c.error.empty() ? log_level::info : log_level::warning,
        c.error.empty() ? "check_ok" : "check_failed"
    )
        .add("cluster", c.cluster)
        .add("member", log::quoted(c.member))
        .add("source", c.source)
        .add("path", c.path)
        .text("error", c.error);
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
        {}};
}

} // namespace rolegate::proxy
