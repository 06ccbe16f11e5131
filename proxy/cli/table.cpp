// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/table.hpp"

#include "proxy/cli/format.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace rolegate::proxy::cli
{

namespace
{

namespace json = boost::json;

// A missing key, or a key of something that is no object, is null.
const json::value& at(const json::value& from, std::string_view key)
{
    static const json::value null;
    const auto* object = from.if_object();
    const auto* found = object ? object->if_contains(key) : nullptr;
    return found ? *found : null;
}

const json::object& object_at(const json::value& from, std::string_view key)
{
    static const json::object none;
    const auto* object = at(from, key).if_object();
    return object ? *object : none;
}

const json::array& array_at(const json::value& from, std::string_view key)
{
    static const json::array none;
    const auto* array = at(from, key).if_array();
    return array ? *array : none;
}

std::string text(const json::value& v)
{
    if (v.is_null())
        return "-";
    if (const auto* s = v.if_string())
        return printable({s->data(), s->size()});
    if (const auto* b = v.if_bool())
        return *b ? "yes" : "no";
    return printable(json::serialize(v));
}

std::string text_at(const json::value& from, std::string_view key)
{
    return text(at(from, key));
}

bool is_true(const json::value& v)
{
    const auto* b = v.if_bool();
    return b && *b;
}

std::string duration_at(const json::value& from, std::string_view key)
{
    const auto* ms = at(from, key).if_int64();
    return ms ? duration_text(*ms) : "-";
}

std::string size_at(const json::value& from, std::string_view key)
{
    const auto* bytes = at(from, key).if_int64();
    return bytes ? size_text(*bytes) : "-";
}

// "a, b", or "-" for none
std::string list_at(const json::value& from, std::string_view key)
{
    std::string out;
    for (const auto& v : array_at(from, key))
        out += (out.empty() ? "" : ", ") + text(v);
    return out.empty() ? "-" : out;
}

std::string key_text(const json::key_value_pair& entry)
{
    return printable({entry.key().data(), entry.key().size()});
}

std::string lock_text(const json::value& lock)
{
    const auto state = text_at(lock, "state");
    if (state == "held")
        return "lock held by " + text_at(lock, "holder") + " for " + duration_at(lock, "since_ms");
    return state == "none" ? "lock free" : "lock " + (state == "-" ? "unknown" : state);
}

// "cluster main: primary pg-1, lock held by pg-1 for 2 h, generation 7, seen 120 ms ago"
std::string cluster_line(const json::key_value_pair& entry)
{
    const auto& c = entry.value();
    const auto primary = text_at(c, "primary");
    auto line = "cluster " + key_text(entry) + ": " +
                (primary == "-" ? "no primary" : "primary " + primary) + ", " +
                lock_text(at(c, "lock")) + ", generation " + text_at(c, "generation");
    if (at(c, "age_ms").is_null())
        line += ", never seen";
    else
        line += ", seen " + duration_at(c, "age_ms") + " ago";
    if (is_true(at(c, "stale")))
        line += ", STALE";
    if (is_true(at(c, "pause")))
        line += ", paused";
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

std::string listener_table(const json::value& status)
{
    std::vector<row> rows{{"LISTENER", "BIND", "CLUSTER", "ROLE", "SESSIONS", "HELD", "MEMBERS"}};
    for (const auto& entry : object_at(status, "listeners"))
    {
        const auto& l = entry.value();
        rows.push_back(
            {key_text(entry),
             list_at(l, "bind"),
             text_at(l, "cluster"),
             text_at(l, "role"),
             text_at(l, "sessions"),
             text_at(l, "held"),
             list_at(l, "members")}
        );
    }
    return columns(rows);
}

// "primary, running, timeline 3, lag 0 bytes; spoke 120 ms ago, listed 80 ms ago; ..."
std::string evidence_line(const json::value& e)
{
    const auto state =
        at(e, "state_text").is_null() ? text_at(e, "state") : text_at(e, "state_text");
    auto line = "role " + text_at(e, "role") + ", state " + state + ", timeline " +
                text_at(e, "timeline") + ", lag " + size_at(e, "lag_bytes");
    if (at(e, "word_age_ms").is_null())
        line += "; has not spoken";
    else
        line += "; spoke " + duration_at(e, "word_age_ms") + " ago";
    line += ", listed " + duration_at(e, "listed_age_ms") + " ago";
    if (!at(e, "error").is_null())
        line += "; error: " + text_at(e, "error");
    return line;
}

std::string verdict_text(const json::value& m)
{
    if (is_true(at(m, "routable")))
        return "routable";
    return "not routable (" + text_at(m, "verdict") + ")";
}

std::string explain_listener(const json::key_value_pair& entry)
{
    const auto& l = entry.value();
    auto out = "listener " + key_text(entry) + " (role " + text_at(l, "role") + ", cluster " +
               text_at(l, "cluster") + "): ";
    out += is_true(at(l, "ready")) ? "ready" : "not ready: " + text_at(l, "reason");
    std::vector<row> rows;
    for (const auto& m : array_at(l, "members"))
    {
        rows.push_back(
            {"",
             text_at(m, "name"),
             verdict_text(m),
             text_at(m, "rule") + ": " + text_at(m, "reason")}
        );
        rows.push_back({"", "", "", evidence_line(at(m, "evidence"))});
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

std::string explain_cluster(const json::key_value_pair& entry)
{
    const auto& c = entry.value();
    const auto& lock = at(c, "lock");
    auto out = cluster_line(entry);
    if (!at(lock, "reporter").is_null())
        out += "  lock: said by " + text_at(lock, "reporter") + " " + duration_at(lock, "age_ms") +
               " ago\n";
    if (!at(c, "cause").is_null())
        out += "  last change: " + text_at(c, "cause") + "\n";
    for (const auto& check : array_at(c, "checks"))
        out += check_line(check);
    return out;
}

} // namespace

std::string status_table(const std::string& json_text)
{
    const auto status = json::parse(json_text);
    std::string out;
    for (const auto& entry : object_at(status, "clusters"))
        out += cluster_line(entry) + member_table(entry.value()) + "\n";
    out += listener_table(status);
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

} // namespace rolegate::proxy::cli
