// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/table.hpp"

#include "proxy/cli/format.hpp"
#include "proxy/cli/json_text.hpp"

#include <boost/json/parse.hpp>

#include <utility>

namespace rolegate::proxy::cli
{

namespace
{

// " (etcd3, 17.3 s left)"; "" when neither is known
std::string lock_source_text(const json::value& lock)
{
    std::string inside;
    if (is_true(at(lock, "by_lease")))
        inside = "by lease alone";
    else if (!at(lock, "source").is_null())
        inside = text_at(lock, "source");
    if (!at(lock, "ttl_left_ms").is_null())
        inside += (inside.empty() ? "" : ", ") + duration_at(lock, "ttl_left_ms") + " left";
    return inside.empty() ? "" : " (" + inside + ")";
}

std::string lock_text(const json::value& lock)
{
    const auto state = text_at(lock, "state");
    if (state == "held")
        return "lock held by " + text_at(lock, "holder") + " for " + duration_at(lock, "since_ms") +
               lock_source_text(lock);
    return state == "none" ? "lock free" + lock_source_text(lock)
                           : "lock " + (state == "-" ? "unknown" : state);
}

// Without it there is no lock, no REST API and no list of members.
bool has_patroni(const json::value& kind)
{
    return kind.is_null() || kind == "patroni";
}

// "cluster main: primary pg-1, lock held by pg-1 for 2 h (etcd3, 17.3 s left), generation 7, ..."
// Where members are only checked: "cluster etcd: no roles, generation 7, ..."
std::string cluster_line(const json::key_value_pair& entry)
{
    const auto& c = entry.value();
    const auto primary = text_at(c, "primary");
    const auto& kind = at(c, "kind");
    auto line = "cluster " + key_text(entry) + ": ";
    if (kind == "tcp")
        line += "no roles";
    else
        line += primary == "-" ? "no primary" : "primary " + primary;
    if (has_patroni(kind))
        line += ", " + lock_text(at(c, "lock"));
    line += ", generation " + text_at(c, "generation");
    if (at(c, "age_ms").is_null())
        line += ", never seen";
    else
        line += ", seen " + duration_at(c, "age_ms") + " ago";
    if (is_true(at(c, "stale")))
        line += ", STALE";
    if (const auto& dcs = at(c, "dcs"); !dcs.is_null() && !is_true(at(dcs, "connected")))
        line += ", " + text_at(dcs, "source") + " LOST";
    if (!at(c, "switchover").is_null())
        line += ", switchover planned";
    if (is_true(at(c, "pause")))
        line += ", paused";
    if (!at(c, "settings_waiting").is_null())
        line += ", NEW SETTINGS WAIT";
    return line + "\n";
}

std::string member_table(const json::value& cluster)
{
    std::vector<row> rows{
        {"MEMBER", "ROLE", "STATE", "TL", "LAG", "SESSIONS", "WRITE", "READ", "REASON"}};
    for (const auto& m : array_at(cluster, "members"))
    {
        const auto& routable = at(m, "routable");
        rows.push_back(
            {text_at(m, "name"),
             text_at(m, "role"),
             text_at(m, "state"),
             text_at(m, "timeline"),
             size_at(m, "lag_bytes"),
             text_at(m, "sessions"),
             text_at(routable, "write"),
             text_at(routable, "read"),
             text_at(m, "reason")}
        );
    }
    return columns(rows);
}

// " (database app,report_*; user app)", or nothing where everybody is taken.
std::string match_text(const json::value& listener)
{
    std::string out;
    for (const auto& condition : object_at(listener, "match"))
    {
        out += (out.empty() ? " (" : "; ") + key_text(condition) + " ";
        const char* separator = "";
        for (const auto& word : condition.value().as_array())
            out += std::exchange(separator, ",") + text(word);
    }
    return out.empty() ? out : out + ")";
}

std::string listener_table(const json::value& status)
{
    std::vector<row> rows{{"LISTENER", "BIND", "CLUSTER", "ROLE", "SESSIONS", "HELD", "MEMBERS"}};
    for (const auto& entry : object_at(status, "listeners"))
    {
        const auto& l = entry.value();
        rows.push_back(
            {key_text(entry),
             list_at(l, "bind") + match_text(l),
             text_at(l, "cluster"),
             text_at(l, "role"),
             text_at(l, "sessions"),
             text_at(l, "held") + (at(l, "paused") == true ? " (paused)" : ""),
             list_at(l, "members")}
        );
    }
    return columns(rows);
}

// What the member is, by the newest of its sources.
std::string state_line(const json::value& e)
{
    if (!at(e, "check").is_null())
        return "check " + text_at(e, "check");
    const auto state =
        at(e, "state_text").is_null() ? text_at(e, "state") : text_at(e, "state_text");
    return "role " + text_at(e, "role") + ", state " + state + ", timeline " +
           text_at(e, "timeline") + ", lag " + size_at(e, "lag_bytes") +
           (at(e, "http_check").is_null() ? "" : ", HTTP check " + text_at(e, "http_check"));
}

// "120 ms ago", "silent, last 12.3 s ago: Connection refused", "silent, never heard: timed out"
std::string heard_text(const json::value& age, const json::value& error)
{
    const auto* ms = age.if_int64();
    const auto ago = ms ? duration_text(*ms) + " ago" : "never heard";
    if (error.is_null())
        return ago;
    return "silent, " + std::string(ms ? "last " : "") + ago + ": " + text(error);
}

std::string sql_text(const json::value& sql)
{
    auto out = "SQL " + heard_text(at(sql, "age_ms"), at(sql, "error"));
    if (const auto* in_recovery = at(sql, "in_recovery").if_bool())
        out += *in_recovery ? " (in recovery)" : " (not in recovery)";
    return out;
}

// "checked 120 ms ago", "checked 120 ms ago: connect: Connection refused"
std::string check_text(const json::value& e)
{
    if (at(e, "word_age_ms").is_null())
        return "never checked";
    const auto line = "checked " + duration_at(e, "word_age_ms") + " ago";
    return at(e, "error").is_null() ? line : line + ": " + text_at(e, "error");
}

// "REST 120 ms ago; SQL 90 ms ago (in recovery); listed 80 ms ago"
std::string sources_line(const json::value& e, bool patroni)
{
    if (!at(e, "check").is_null())
        return check_text(e);
    if (!patroni)
        return at(e, "sql").is_null() ? "SQL never heard" : sql_text(at(e, "sql"));
    auto line = "REST " + heard_text(at(e, "word_age_ms"), at(e, "error"));
    if (!at(e, "sql").is_null())
        line += "; " + sql_text(at(e, "sql"));
    const auto* listed = at(e, "listed").if_bool();
    line += listed && !*listed ? "; no longer listed, last " : "; listed ";
    return line + duration_at(e, "listed_age_ms") + " ago";
}

std::string verdict_text(const json::value& m)
{
    if (is_true(at(m, "routable")))
        return "routable";
    return "not routable (" + text_at(m, "verdict") + ")";
}

// "" for what everybody expects: all of the weight that members have by default.
std::string share_line(const json::value& m)
{
    const auto& share = at(m, "share");
    if (share.is_null())
        return "";
    if (is_true(at(share, "idle_backup")))
        return "a backup: not used while another one is";
    if (at(share, "throttle") != 100)
        return "slow start: " + text_at(share, "throttle") + " % of weight " + text_at(share, "of");
    return at(share, "of") == 1 ? "" : "weight " + text_at(share, "of");
}

std::string explain_listener(const json::key_value_pair& entry)
{
    const auto& l = entry.value();
    auto out = "listener " + key_text(entry) + " (role " + text_at(l, "role") + ", cluster " +
               text_at(l, "cluster") + ")" + match_text(l) + ": ";
    out += is_true(at(l, "ready")) ? "ready" : "not ready: " + text_at(l, "reason");
    if (is_true(at(l, "paused")))
        out += "; PAUSED, new clients are held by an operator";
    std::vector<row> rows;
    for (const auto& m : array_at(l, "members"))
    {
        rows.push_back(
            {"",
             text_at(m, "name"),
             verdict_text(m),
             text_at(m, "rule") + ": " + text_at(m, "reason")}
        );
        if (auto share = share_line(m); !share.empty())
            rows.push_back({"", "", "", std::move(share)});
        rows.push_back({"", "", "", state_line(at(m, "evidence"))});
        rows.push_back(
            {"", "", "", sources_line(at(m, "evidence"), has_patroni(at(l, "cluster_kind")))}
        );
    }
    return out + "\n" + columns(rows);
}

std::string check_line(const json::value& check)
{
    auto line = "  " + text_at(check, "member") + " asked over " + text_at(check, "source") + ":";
    const char* separator = " ";
    for (const auto& result : object_at(check, "results"))
    {
        line += separator + key_text(result) + " " + text(result.value());
        separator = ", ";
    }
    if (!at(check, "error").is_null())
        line +=
            "; error " + duration_at(check, "error_age_ms") + " ago: " + text_at(check, "error");
    return line + "\n";
}

// "  lock: said by 10.0.0.1:2379 (etcd3) 800 ms ago; the lease has 17.3 s left"
std::string explain_lock(const json::value& lock)
{
    if (at(lock, "reporter").is_null())
        return "";
    auto line = "  lock: " + std::string(is_true(at(lock, "by_lease")) ? "last " : "") +
                "said by " + text_at(lock, "reporter");
    if (!at(lock, "source").is_null())
        line += " (" + text_at(lock, "source") + ")";
    line += " " + duration_at(lock, "age_ms") + " ago";
    if (is_true(at(lock, "by_lease")))
        line += "; nobody confirms it now";
    if (!at(lock, "ttl_left_ms").is_null())
        line += "; the lease has " + duration_at(lock, "ttl_left_ms") + " left";
    return line + "\n";
}

// "  DCS: etcd3 connected, 10.0.0.1:2379 answered 800 ms ago"
std::string explain_dcs(const json::value& dcs)
{
    if (dcs.is_null())
        return "";
    auto line = "  DCS: " + text_at(dcs, "source") +
                (is_true(at(dcs, "connected")) ? " connected" : " LOST");
    if (!at(dcs, "age_ms").is_null())
        line +=
            ", " + text_at(dcs, "endpoint") + " answered " + duration_at(dcs, "age_ms") + " ago";
    if (!at(dcs, "error").is_null())
        line += "; error: " + text_at(dcs, "error");
    return line + "\n";
}

std::string explain_switchover(const json::value& planned)
{
    if (planned.is_null())
        return "";
    std::string line = "  planned:";
    line += at(planned, "from").is_null() ? " failover" : " switchover from ";
    if (!at(planned, "from").is_null())
        line += text_at(planned, "from");
    line += " to " + (at(planned, "to").is_null() ? "any member" : text_at(planned, "to"));
    if (!at(planned, "at").is_null())
        line += " at " + text_at(planned, "at");
    return line + "\n";
}

std::string explain_waiting(const json::value& settings)
{
    if (settings.is_null())
        return "";
    return "  the settings of the last reload have waited for " +
           duration_at(settings, "since_ms") +
           ", the old ones hold: " + text_at(settings, "reason") + "\n";
}

std::string explain_cluster(const json::key_value_pair& entry)
{
    const auto& c = entry.value();
    auto out = cluster_line(entry);
    out += explain_lock(at(c, "lock"));
    out += explain_dcs(at(c, "dcs"));
    out += explain_switchover(at(c, "switchover"));
    out += explain_waiting(at(c, "settings_waiting"));
    if (is_true(at(c, "failsafe_mode")))
        out += "  failsafe mode: configured\n";
    if (!at(c, "cause").is_null())
        out += "  last change: " + text_at(c, "cause") + "\n";
    for (const auto& check : array_at(c, "checks"))
        out += check_line(check);
    return out;
}

// "promoted: pg-1 -> pg-2"; whoever was not there is "nobody".
std::string change_text(const json::value& event)
{
    const auto member = [&event](std::string_view key)
    { return at(event, key).is_null() ? "nobody" : text_at(event, key); };
    return text_at(event, "kind") + ": " + member("from") + " -> " + member("to");
}

std::string step_table(const json::value& event)
{
    std::vector<row> rows;
    for (const auto& step : array_at(event, "steps"))
    {
        const auto is = text_at(step, "step");
        auto detail = at(step, "detail").is_null() ? "" : text_at(step, "detail");
        if (is == "sessions_cut")
            detail += detail == "1" ? " session" : " sessions";
        rows.push_back(
            {"",
             right_aligned(text_at(step, "ms") + " ms", 10),
             is,
             text_at(step, "member"),
             detail}
        );
    }
    return columns(rows);
}

} // namespace

std::string status_table(const std::string& json_text)
{
    const auto status = json::parse(json_text);
    std::string out;
    for (const auto& entry : object_at(status, "clusters"))
        out += cluster_line(entry) + member_table(entry.value()) + "\n";
    out += listener_table(status);
    if (const auto& config = at(status, "config"); at(config, "reload_ok") == false)
        out += "\nthe last reload was REFUSED, the settings of before hold: " +
               text_at(config, "error") + "\n";
    if (is_true(at(status, "shutting_down")))
        out += "\nshutting down\n";
    return out;
}

std::string explain_text(const std::string& json_text)
{
    const auto explained = json::parse(json_text);
    std::string out;
    for (const auto& entry : object_at(explained, "listeners"))
        out += explain_listener(entry) + "\n";
    for (const auto& entry : object_at(explained, "clusters"))
        out += explain_cluster(entry);
    return out;
}

std::string events_text(const std::string& json_text)
{
    const auto told = json::parse(json_text);
    const auto& events = array_at(told, "events");
    if (events.empty())
        return "no role change yet\n";
    std::string out;
    for (auto event = events.end(); event != events.begin();)
    {
        --event;
        out += (out.empty() ? "" : "\n") + text_at(*event, "at") + "  cluster " +
               text_at(*event, "cluster") + "  " + change_text(*event) + "\n" + step_table(*event);
    }
    return out;
}

} // namespace rolegate::proxy::cli
