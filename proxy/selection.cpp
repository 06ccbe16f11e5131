// SPDX-License-Identifier: PostgreSQL
#include "proxy/selection.hpp"

#include "proxy/rebalance.hpp"

#include <algorithm>
#include <random>
#include <utility>

namespace rolegate::proxy
{

namespace
{

// A client that has not come again by then is not expected any more.
constexpr std::chrono::seconds away_for{60};

// Nobody is sent to a member that a client could not have, for so long.
constexpr std::chrono::seconds failed_for{60};

} // namespace

selection::selection(
    destination to,
    config::balance_algorithm how,
    const config::cluster_settings& cluster,
    const selection* before
)
    : to_(to), how_(how), cluster_(cluster), listed_(cluster), slowstart_(to, cluster),
      balance_(how, std::random_device()()), failed_(failed_for)
{
    if (!before)
        return;
    const std::lock_guard lock(before->mutex_);
    slowstart_.take_over(before->slowstart_);
}

void selection::adopt(const health::topology& t, time_point now)
{
    const std::lock_guard lock(mutex_);
    slowstart_.adopt(t, now);
    balance_.adopt(t);
}

std::string_view selection::choose(
    const hold::room& room, const health::topology& t, time_point now, const asker& who
)
{
    const std::lock_guard lock(mutex_);
    find_eligible(to_, t, now, cluster_, listed_, eligible_);
    const bool prefers = std::ranges::any_of(
        eligible_, [this](const auto* m) { return grant_for(to_, *m).preferred; }
    );
    // When those that are preferred are full, have refused, or are silent, others come next.
    for (const auto& from : {circle{false, false}, {true, false}, {false, true}, {true, true}})
    {
        if (!from.others && !prefers)
            continue;
        gather(room, now, who, from);
        const auto found = balance_.choose(candidates_, who.from);
        if (!found.member)
            continue;
        if (!found.waits)
        {
            away_ -= away_ > 0 ? 1U : 0U;
            return found.member->name;
        }
        room.wait_for(found.member->name);
        return {};
    }
    return {};
}

void selection::gather(const hold::room& room, time_point now, const asker& who, circle from)
{
    candidates_.clear();
    for (const auto* m : eligible_)
    {
        if (!from.others && !grant_for(to_, *m).preferred)
            continue;
        if (std::ranges::find(who.resting, m->name) != who.resting.end())
            continue;
        if (!from.silent_too && who.silent.has(who.cluster, m->name, now))
            continue;
        const auto& options = cluster_.options_of(m->name);
        candidates_.push_back(
            {m->name,
             slowstart_.weight(m->name, now),
             room.sessions(m->name),
             room.is_full(m->name, slowstart_.maxconn(m->name, now)),
             !room.may_wait_for(m->name, options.maxqueue)}
        );
    }
    if (how_ != config::balance_algorithm::first)
        return;
    const auto rank = [this](const candidate& c) { return std::pair(listed_.of(c.name), c.name); };
    std::ranges::sort(candidates_, {}, rank);
}

selection::time_point selection::next_step(time_point now) const
{
    const std::lock_guard lock(mutex_);
    return slowstart_.next_step(now);
}

selection::session_counts selection::surplus_members(
    const health::topology& t, time_point now, const session_counts& sessions, unsigned percent
)
{
    const std::lock_guard lock(mutex_);
    if (now - moved_ > away_for)
        away_ = 0;
    find_eligible(to_, t, now, cluster_, listed_, eligible_);
    const bool prefers = std::ranges::any_of(
        eligible_, [this](const auto* m) { return grant_for(to_, *m).preferred; }
    );
    std::vector<holding> all;
    for (const auto* m : eligible_)
    {
        if ((prefers && !grant_for(to_, *m).preferred) || failed_.has(0, m->name, now))
            continue;
        const auto there = sessions.find(m->name);
        const auto count = there == sessions.end() ? 0 : there->second;
        const auto maxconn = slowstart_.maxconn(m->name, now);
        const auto most = maxconn ? std::size_t(*maxconn) : static_cast<std::size_t>(-1);
        if (count < most)
            all.push_back({m->name, count, slowstart_.weight(m->name, now), most});
    }
    session_counts due;
    auto left = places(all, away_);
    for (const auto& h : all)
    {
        const auto n = std::min(moves_due(surplus(h, all, away_), h.sessions, percent), left);
        if (n > 0)
            due.emplace(h.member, n);
        left -= n;
    }
    return due;
}

void selection::note_failed(const std::string& member, time_point now)
{
    const std::lock_guard lock(mutex_);
    failed_.note(0, member, now);
}

void selection::note_moved(std::size_t sessions, time_point now)
{
    if (sessions == 0)
        return;
    const std::lock_guard lock(mutex_);
    away_ += sessions;
    moved_ = now;
}

std::map<std::string, member_share>
selection::shares(const health::topology& t, time_point now) const
{
    std::vector<const health::member*> eligible;
    find_eligible(to_, t, now, cluster_, listed_, eligible);
    const std::lock_guard lock(mutex_);
    std::map<std::string, member_share> all;
    for (const auto& name : open_members(to_, t, now))
    {
        const auto weight = slowstart_.weight(name, now);
        const auto of = cluster_.options_of(name).weight;
        all[name] = {
            shown_weight(weight),
            of,
            std::ranges::find(eligible, name, &health::member::name) == eligible.end(),
            100 * weight / (of * weight_scale)};
    }
    return all;
}

} // namespace rolegate::proxy
