// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/haproxy_row.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace rolegate::proxy::admin
{

row::row(const listener_view& l, std::string_view name, row_type type, std::size_t proxy)
{
    text(field("pxname"), l.settings.name);
    text(field("svname"), name);
    number(field("pid"), 1);
    number(field("iid"), proxy);
    number(field("sid"), 0);
    number(field("type"), static_cast<std::uint64_t>(type));
    text(field("mode"), "tcp");
}

void row::zero(std::initializer_list<std::size_t> places)
{
    for (const auto at : places)
        number(at, 0);
}

void row::milliseconds(std::size_t at, double seconds)
{
    number(at, static_cast<std::uint64_t>(std::llround(seconds * 1000)));
}

void row::seconds(std::size_t at, health::clock::duration d)
{
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(d).count();
    number(at, static_cast<std::uint64_t>(std::max<std::int64_t>(whole, 0)));
}

void row::text(std::size_t at, std::string_view value)
{
    std::string out(value);
    std::ranges::replace_if(
        out, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?'
    );
    if (out.find_first_of(",\"") != out.npos)
    {
        for (auto i = out.find('"'); i != out.npos; i = out.find('"', i + 2))
            out.insert(i, 1, '"');
        out = '"' + out + '"';
    }
    values_[at] = std::move(out);
}

void row::append_to(std::string& all) const
{
    for (const auto& v : values_)
    {
        all += v;
        all += ',';
    }
    all += '\n';
}

std::uint64_t sum(const std::map<std::string, std::uint64_t>& counts)
{
    std::uint64_t all = 0;
    for (const auto& [key, n] : counts)
        all += n;
    return all;
}

std::uint64_t ended_by(const member_stats& s, std::initializer_list<std::string_view> states)
{
    std::uint64_t n = 0;
    for (const auto& [state, count] : s.ended)
        if (std::ranges::find(states, state) != states.end())
            n += count;
    return n;
}

std::uint64_t our_faults(const member_stats& s)
{
    return ended_by(s, {"IR", "IQ", "IC", "ID"});
}

void add_traffic(row& r, const member_stats& s, const member_traffic& t, health::time_point now)
{
    r.number(field("scur"), s.sessions);
    r.number(field("smax"), std::max<std::uint64_t>(t.most_sessions, s.sessions));
    r.number(field("stot"), sum(s.ended) + s.sessions);
    r.number(field("bin"), s.bytes_in);
    r.number(field("bout"), s.bytes_out);
    r.number(field("econ"), s.failed);
    r.number(field("eresp"), ended_by(s, {"SD"}));
    r.number(field("wretr"), s.retries);
    r.number(field("wredis"), s.redispatches);
    r.number(field("cli_abrt"), ended_by(s, {"CD", "cD"}));
    r.number(field("srv_abrt"), ended_by(s, {"SD", "sD"}));
    r.number(field("lbtot"), t.chosen);
    r.number(field("connect"), t.chosen);
    r.number(field("rate"), t.sessions.per_second(now));
    r.number(field("rate_max"), t.sessions.most());
    r.number(field("eint"), our_faults(s));
    if (t.last)
        r.seconds(field("lastsess"), now - *t.last);
    else
        r.text(field("lastsess"), "-1");
    r.milliseconds(field("qtime"), s.wait_seconds.mean());
    r.milliseconds(field("ctime"), s.connecting_seconds.mean());
    r.milliseconds(field("ttime"), s.total_seconds.mean());
    r.milliseconds(field("qtime_max"), s.wait_seconds.most);
    r.milliseconds(field("ctime_max"), s.connecting_seconds.most);
    r.milliseconds(field("ttime_max"), s.total_seconds.most);
    // HTTP's, which HAProxy shows as 0 in TCP mode, too.
    r.zero({field("dresp"), field("rtime"), field("rtime_max"), field("wrew"), field("reuse")});
}

void add_service(row& r, const service_record* s, health::time_point now)
{
    r.zero({field("chkdown"), field("lastchg"), field("downtime")});
    if (!s)
        return;
    r.number(field("chkdown"), s->losses);
    r.seconds(field("lastchg"), now - s->since);
    r.seconds(field("downtime"), s->closed_for(now));
}

} // namespace rolegate::proxy::admin
