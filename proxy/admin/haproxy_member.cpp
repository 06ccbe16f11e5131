// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/haproxy_member.hpp"

#include <algorithm>

namespace rolegate::proxy::admin
{

namespace
{

using health::admission;

// NOLB is HAProxy's word for a server that keeps its sessions and gets no new ones.
std::string status_of(const place& p)
{
    const std::string_view rule = p.grant.rule;
    if (p.member.order.state == health::operator_state::maint)
        return "MAINT";
    if (p.member.order.state == health::operator_state::drain)
        return "DRAIN";
    if (p.cluster.check && rule != "not-checked" && !p.stale)
        return p.member.state_text; // a count of checks: "UP 1/3"
    if (p.is_open())
        return "UP";
    return p.grant.verdict == admission::closed ? "DOWN" : "NOLB";
}

struct check_result
{
    const char* status = "";
    const char* code = "";
    const char* text = "";
    std::string last; // what it said
};

// What HAProxy's check of the role, OPTIONS /primary or /replica, would have brought.
check_result check_of(const place& p)
{
    const auto& m = p.member;
    const bool http = !p.cluster.check || p.cluster.check->http;
    const bool sql_only = p.cluster.topology->kind == health::cluster_kind::postgres;
    const auto& error = sql_only ? m.sql_error : m.error;
    if (error.empty() && !(sql_only ? m.sql_seen : m.word_seen))
        return {"INI", "", "Initializing", ""};
    if (error.find("timed out") != error.npos || error.find("no answer") != error.npos)
        return {"L4TOUT", "", "Layer4 timeout", error};
    if (!error.empty() && error.find("status") == error.npos)
        return {"L4CON", "", "Layer4 connection problem", error};
    if (!http)
        return {"L4OK", "", "Layer4 check passed", ""};
    if (error.empty() && p.grant.verdict == admission::open)
        return {"L7OK", "200", "Layer7 check passed", ""};
    return {"L7STS", "503", "Layer7 wrong status", error.empty() ? p.grant.reason : error};
}

void add_check(row& r, const place& p)
{
    const auto c = check_of(p);
    r.text(field("check_status"), c.status);
    r.text(field("check_code"), c.code);
    r.text(field("check_desc"), c.text);
    r.text(field("last_chk"), c.last);
    const auto& checks = p.cluster.checks;
    const auto took = checks.last_seconds.find(p.member.name);
    r.milliseconds(field("check_duration"), took == checks.last_seconds.end() ? 0 : took->second);
    std::uint64_t failures = 0;
    for (const auto& [key, n] : checks.checks)
        if (key[0] == p.member.name && key[2] == "error")
            failures += n;
    r.number(field("chkfail"), failures);
    // Where there are roles a member's word counts at once.
    const unsigned rise = p.cluster.check ? p.cluster.check->rise : 1;
    const unsigned fall = p.cluster.check ? p.cluster.check->fall : 1;
    r.number(field("check_rise"), rise);
    r.number(field("check_fall"), fall);
    r.number(field("check_health"), p.is_open() ? rise + fall - 1 : 0);
}

std::string address_of(const health::member& m)
{
    const auto& host = m.address.empty() ? m.host : m.address;
    const bool is_v6 = host.find(':') != host.npos;
    return (is_v6 ? '[' + host + ']' : host) + ':' + std::to_string(m.port);
}

const member_stats& stats_of(const listener_view& l, const std::string& member)
{
    static const member_stats none;
    const auto at = l.stats.members.find(member);
    return at == l.stats.members.end() ? none : at->second;
}

} // namespace

std::vector<place> places_of(const process_view& view, const listener_view& l)
{
    std::vector<place> all;
    const auto* cluster = view.find_cluster(l.settings.cluster);
    if (!cluster)
        return all;
    const auto& t = *cluster->topology;
    for (const auto& m : t.members)
    {
        const auto options = cluster->options.find(m.name);
        all.push_back(
            {*cluster,
             m,
             grant_for(l.to, m),
             options == cluster->options.end() ? config::member_settings{} : options->second,
             t.stale(view.now)}
        );
    }
    return all;
}

row member_row(
    const process_view& view,
    const listener_view& l,
    std::size_t proxy,
    std::size_t server,
    const place& p
)
{
    const auto& name = p.member.name;
    row r(l, name, row_type::server, proxy);
    r.number(field("sid"), server);
    const auto traffic = l.traffic.members.find(name);
    add_traffic(
        r,
        stats_of(l, name),
        traffic == l.traffic.members.end() ? member_traffic{} : traffic->second,
        view.now
    );
    add_service(r, p.cluster.service(l.settings.name, name), view.now);
    add_check(r, p);
    r.text(field("status"), status_of(p));
    r.text(field("addr"), address_of(p.member));
    if (p.options.maxconn)
        r.number(field("slim"), *p.options.maxconn);
    if (p.options.maxqueue > 0)
        r.number(field("qlimit"), p.options.maxqueue);
    const auto share = l.shares.find(name);
    const bool slow = share != l.shares.end() && share->second.percent < 100;
    r.number(field("weight"), slow ? share->second.weight : p.options.weight);
    r.number(field("uweight"), p.options.weight);
    if (slow)
        r.number(field("throttle"), share->second.percent);
    r.number(field("act"), p.options.backup ? 0 : 1);
    r.number(field("bck"), p.options.backup ? 1 : 0);
    // Clients are held at the listener; no connection to a server is kept without a session.
    r.zero(
        {field("qcur"),
         field("qmax"),
         field("srv_icur"),
         field("idle_conn_cur"),
         field("safe_conn_cur"),
         field("need_conn_est")}
    );
    r.number(field("used_conn_cur"), stats_of(l, name).sessions);
    return r;
}

} // namespace rolegate::proxy::admin
