// SPDX-License-Identifier: PostgreSQL
#include "proxy/slowstart.hpp"

#include <algorithm>
#include <utility>

namespace rolegate::proxy
{

namespace
{

using std::chrono::seconds;

// Out of work, and perhaps restarted. One that only gets no new sessions for a moment (its
// replication reconnects, nobody confirms its lock) has kept those it had, and is as warm as
// before.
bool is_cold(const health::member& m, health::admission verdict) noexcept
{
    return verdict == health::admission::closed ||
           (m.state != health::member_state::running && m.state != health::member_state::unknown);
}

// HAProxy rounds its slowstart up to seconds as well.
seconds length_of(const config::member_settings& m)
{
    return std::chrono::ceil<seconds>(m.slowstart);
}

} // namespace

unsigned effective_weight(unsigned weight, seconds length, seconds open) noexcept
{
    if (open >= length)
        return weight * weight_scale;
    const auto sixteenths = (weight_scale * open + length) / length;
    return weight * static_cast<unsigned>(sixteenths);
}

std::size_t effective_maxconn(std::size_t maxconn, seconds length, seconds open) noexcept
{
    if (open >= length)
        return maxconn;
    const auto percent = static_cast<std::size_t>(100 * open / length);
    return std::max<std::size_t>(maxconn * percent / 100, 1);
}

slowstart::slowstart(destination to, const config::cluster_settings& cluster)
    : to_(to), cluster_(cluster)
{
}

void slowstart::take_over(const slowstart& before)
{
    generation_ = before.generation_;
    somebody_was_open_ = before.somebody_was_open_;
    members_ = before.members_;
}

void slowstart::adopt(const health::topology& t, time_point now)
{
    if (t.generation <= generation_)
        return;
    generation_ = t.generation;
    std::erase_if(members_, [&t](const auto& m) { return !t.find(m.first); });
    somebody_was_open_ |= has_open_member(to_, t, now);
    for (const auto& m : t.members)
        note(m, members_[m.name], now);
}

void slowstart::note(const health::member& m, record& r, time_point now) const
{
    const auto verdict = grant_for(to_, m).verdict;
    if (verdict == health::admission::open)
    {
        if (std::exchange(r.was_shut, false))
            r.since = now;
        return;
    }
    if (!is_cold(m, verdict))
        return;
    r.since.reset();
    r.was_shut |= somebody_was_open_ && (m.word_seen || m.sql_seen);
}

// Whole seconds; nullopt: it has everything.
std::optional<seconds> slowstart::warming_for(const std::string& member, time_point now) const
{
    // Asked for every session: most members have no slowstart.
    const auto length = length_of(cluster_.options_of(member));
    if (length == seconds(0))
        return std::nullopt;
    const auto m = members_.find(member);
    if (m == members_.end() || !m->second.since)
        return std::nullopt;
    const auto open = std::chrono::floor<seconds>(now - *m->second.since);
    if (open >= length)
        return std::nullopt;
    return std::max(open, seconds(0));
}

unsigned slowstart::weight(const std::string& member, time_point now) const
{
    const auto& options = cluster_.options_of(member);
    const auto length = length_of(options);
    return effective_weight(options.weight, length, warming_for(member, now).value_or(length));
}

std::optional<std::size_t> slowstart::maxconn(const std::string& member, time_point now) const
{
    const auto& options = cluster_.options_of(member);
    if (!options.maxconn)
        return std::nullopt;
    const auto length = length_of(options);
    return effective_maxconn(*options.maxconn, length, warming_for(member, now).value_or(length));
}

slowstart::time_point slowstart::next_step(time_point now) const
{
    auto next = time_point::max();
    for (const auto& [name, m] : members_)
        if (const auto open = warming_for(name, now))
            next = std::min(next, *m.since + *open + seconds(1));
    return next;
}

} // namespace rolegate::proxy
