// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/haproxy_csv.hpp"

#include "config/words.hpp"
#include "proxy/admin/haproxy_member.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace rolegate::proxy::admin
{

namespace
{

std::size_t limit_of(const process_view& view, const listener_view& l)
{
    // No more than collectors take for a number; HAProxy counts with int.
    constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();
    return std::min(l.settings.maxconn.value_or(view.maxconn), most);
}

row frontend_row(
    const process_view& view, const listener_view& l, std::size_t proxy, const member_stats& all
)
{
    row r(l, "FRONTEND", row_type::frontend, proxy);
    const auto& t = l.traffic;
    const auto here = all.sessions + l.stats.held;
    r.text(field("status"), l.paused || view.shutting_down ? "STOP" : "OPEN");
    r.number(field("scur"), here);
    r.number(field("smax"), std::max<std::uint64_t>(t.most_here, here));
    r.number(field("slim"), limit_of(view, l));
    r.number(field("stot"), sum(all.ended) + all.sessions);
    r.number(field("bin"), all.bytes_in);
    r.number(field("bout"), all.bytes_out);
    const auto rejects = l.stats.handshake_rejects.find("not_allowed");
    const auto denied = rejects == l.stats.handshake_rejects.end() ? 0 : rejects->second;
    r.number(field("ereq"), sum(l.stats.handshake_rejects) - denied);
    r.number(field("dcon"), denied);
    r.number(field("rate"), t.clients.per_second(view.now));
    r.number(field("rate_max"), t.clients.most());
    r.number(field("conn_rate"), t.clients.per_second(view.now));
    r.number(field("conn_rate_max"), t.clients.most());
    r.number(field("conn_tot"), t.came);
    r.number(field("eint"), our_faults(all));
    // HTTP's, which HAProxy shows as 0 in TCP mode, too.
    r.zero(
        {field("dreq"),
         field("dresp"),
         field("rate_lim"),
         field("req_rate"),
         field("req_rate_max"),
         field("req_tot"),
         field("comp_in"),
         field("comp_out"),
         field("comp_byp"),
         field("comp_rsp"),
         field("dses"),
         field("wrew")}
    );
    return r;
}

// What `members` have together that a session may go to.
struct strength
{
    std::uint64_t active = 0;
    std::uint64_t backup = 0;
    std::uint64_t weight = 0;
};

strength strength_of(const listener_view& l, const std::vector<place>& members)
{
    strength s;
    for (const auto& p : members)
    {
        if (!p.is_open())
            continue;
        const auto share = l.shares.find(p.member.name);
        ++(p.options.backup ? s.backup : s.active);
        s.weight += share == l.shares.end() ? p.options.weight : share->second.weight;
    }
    return s;
}

row backend_row(
    const process_view& view,
    const listener_view& l,
    std::size_t proxy,
    const member_stats& all,
    const std::vector<place>& members
)
{
    row r(l, "BACKEND", row_type::backend, proxy);
    const auto s = strength_of(l, members);
    add_traffic(r, all, l.traffic.all, view.now);
    add_service(
        r, members.empty() ? nullptr : members[0].cluster.service(l.settings.name, ""), view.now
    );
    r.text(field("status"), s.active + s.backup > 0 ? "UP" : "DOWN");
    r.number(field("qcur"), l.stats.held);
    r.number(field("qmax"), std::max<std::uint64_t>(l.traffic.most_held, l.stats.held));
    r.number(field("slim"), limit_of(view, l));
    // Those that found no server in time as well.
    r.number(field("econ"), all.failed + ended_by(all, {"sQ", "PQ", "SC", "sC"}));
    r.number(field("weight"), s.weight);
    r.number(field("uweight"), s.weight);
    r.number(field("act"), s.active);
    r.number(field("bck"), s.backup);
    r.text(field("algo"), config::word_of(config::balance_words, l.settings.balance));
    r.zero(
        {field("dreq"),
         field("comp_in"),
         field("comp_out"),
         field("comp_byp"),
         field("comp_rsp"),
         field("agg_server_status"),
         field("agg_server_check_status"),
         field("agg_check_status")}
    );
    return r;
}

} // namespace

std::string haproxy_csv(const process_view& view)
{
    std::string out = "# ";
    for (const auto name : haproxy_fields)
        out.append(name) += ',';
    out += '\n';
    for (std::size_t i = 0; i < view.listeners.size(); ++i)
    {
        const auto& l = view.listeners[i];
        const auto all = all_members(l.stats);
        const auto members = places_of(view, l);
        frontend_row(view, l, i + 1, all).append_to(out);
        for (std::size_t m = 0; m < members.size(); ++m)
            member_row(view, l, i + 1, m + 1, members[m]).append_to(out);
        backend_row(view, l, i + 1, all, members).append_to(out);
    }
    return out + '\n';
}

} // namespace rolegate::proxy::admin
