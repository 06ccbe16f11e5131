// SPDX-License-Identifier: PostgreSQL
#include "health/restrain.hpp"

namespace rolegate::health
{

namespace
{

using namespace std::chrono_literals;

// A replica that served before a promotion may take this long to follow the new primary: one
// loop_wait of Patroni (10 s) to notice, one to repair, and some slack; an operator's hand is not
// faster.
constexpr auto follow_grace = 30s;

} // namespace

void take_addresses(member& m, const std::map<std::string, address_list>& known)
{
    const auto found = known.find(m.host);
    if (found == known.end())
        return;
    m.address = found->second.front();
    m.other_addresses.assign(found->second.begin() + 1, found->second.end());
}

void take_check(member& m, const check_reports& known)
{
    const auto found = known.find(m.name);
    if (found == known.end())
    {
        m.check_text = "not checked";
        m.check_failed = "has not been checked over HTTP yet";
        return;
    }
    const auto& report = found->second;
    m.check_text = report.text;
    m.check_failed = report.passed ? "" : "over HTTP " + report.reason;
}

void take_order(member& m, const operator_orders& orders)
{
    const auto found = orders.find(m.name);
    m.order = found == orders.end() ? operator_order{} : found->second;
}

void close_unreachable(grant& g, const member& m)
{
    if (g.verdict != admission::open || (!m.address.empty() && m.port != 0))
        return;
    g = {
        admission::keep,
        "no-address",
        m.host.empty() ? "its address is not known"
                       : "its host name '" + m.host + "' has no address"};
}

bool has_time_to_follow(const topology& now_believed, time_point now) noexcept
{
    return now - now_believed.timeline_since <= follow_grace;
}

grant follows_timeline(
    const topology& now_believed, const member& m, grant g, bool was_open, time_point now
)
{
    const auto highest = now_believed.highest_timeline;
    if (g.verdict != admission::open || !m.timeline || *m.timeline >= highest)
        return g;
    if (was_open && has_time_to_follow(now_believed, now))
        return g;
    return {
        admission::keep,
        "old-timeline",
        "is on timeline " + std::to_string(*m.timeline) + ", the primary on " +
            std::to_string(highest)};
}

} // namespace rolegate::health
