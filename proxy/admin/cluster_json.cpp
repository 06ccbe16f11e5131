// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/cluster_json.hpp"

#include "proxy/admin/json_values.hpp"

#include <algorithm>
#include <cstdint>

namespace rolegate::proxy::admin
{

namespace
{

namespace json = boost::json;
using health::lock_belief;
using health::time_point;

const char* to_string(lock_belief::kind k) noexcept
{
    switch (k)
    {
    case lock_belief::kind::held:
        return "held";
    case lock_belief::kind::none:
        return "none";
    case lock_belief::kind::unknown:
        break;
    }
    return "unknown";
}

// null: without Patroni there is none.
json::value lock_object(const health::topology& t, time_point now)
{
    if (t.kind != health::cluster_kind::patroni)
        return nullptr;
    const auto& lock = t.lock;
    const bool held = lock.what == lock_belief::kind::held;
    json::value left;
    // Said by another source, the lock may have been renewed since the DCS last told its end.
    if (held && lock.ends && t.dcs.source == lock.source)
        left = std::max<std::int64_t>(ms_between(now, *lock.ends), 0);
    return json::object{
        {"state", to_string(lock.what)},
        {"holder", or_null(held ? lock.holder : std::string())},
        {"source", or_null(std::string(lock.source))},
        {"reporter", or_null(lock.reporter)},
        {"by_lease", lock.by_lease},
        {"age_ms", age_ms(lock.seen, now)},
        {"since_ms", age_ms(lock.since, now)},
        {"ttl_left_ms", std::move(left)}, // only a DCS can tell
    };
}

// null: none is configured.
json::value dcs_object(const health::dcs_link& dcs, time_point now)
{
    if (dcs.source.empty())
        return nullptr;
    json::object o;
    o["source"] = dcs.source;
    o["connected"] = dcs.connected;
    o["endpoint"] = or_null(dcs.endpoint);
    o["age_ms"] = age_ms(dcs.seen, now);
    o["error"] = or_null(dcs.error);
    return o;
}

// null: nobody has asked for one.
json::value switchover_object(const std::optional<health::planned_switchover>& s)
{
    if (!s)
        return nullptr;
    json::object o;
    o["from"] = or_null(s->from);
    o["to"] = or_null(s->to);
    o["at"] = or_null(s->at);
    return o;
}

// null: the settings of the last reload hold.
json::value waiting_object(const std::optional<waiting_settings>& w, time_point now)
{
    if (!w)
        return nullptr;
    return json::object{{"since_ms", ms_between(w->since, now)}, {"reason", or_null(w->reason)}};
}

} // namespace

json::object cluster_object(const cluster_view& c, time_point now)
{
    const auto& t = *c.topology;
    const auto* primary = t.stale(now) ? nullptr : t.primary();
    json::object o;
    o["kind"] = health::to_string(t.kind);
    o["primary"] = primary ? json::value(primary->name) : json::value(nullptr);
    o["generation"] = t.generation;
    o["age_ms"] = age_ms(t.confirmed, now);
    o["stale"] = t.stale(now);
    o["stale_after_ms"] = t.stale_after.count();
    o["pause"] = t.pause;
    o["highest_timeline"] = t.highest_timeline;
    o["system_identifier"] = or_null(t.system_identifier);
    o["lock"] = lock_object(t, now);
    o["dcs"] = dcs_object(t.dcs, now);
    o["failsafe_mode"] = t.failsafe_mode;
    o["standby_cluster"] = t.standby_cluster;
    o["switchover"] = switchover_object(t.switchover);
    o["settings_waiting"] = waiting_object(c.waiting, now);
    return o;
}

} // namespace rolegate::proxy::admin
