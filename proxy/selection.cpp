// SPDX-License-Identifier: PostgreSQL
#include "proxy/selection.hpp"

#include "proxy/route.hpp"

#include <algorithm>
#include <random>

namespace rolegate::proxy
{

selection::selection(const config::listener_settings& l, const config::cluster_settings& cluster)
    : role_(l.role), cluster_(cluster), slowstart_(l.role, cluster),
      balance_(l.balance, std::random_device()())
{
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
    find_eligible(role_, t, now, cluster_, eligible_);
    for (const bool silent_too : {false, true})
    {
        gather(room, now, who, silent_too);
        const auto found = balance_.choose(candidates_, who.from);
        if (!found.member)
            continue;
        if (!found.waits)
            return found.member->name;
        room.wait_for(found.member->name);
        return {};
    }
    return {};
}

void selection::gather(const hold::room& room, time_point now, const asker& who, bool silent_too)
{
    candidates_.clear();
    for (const auto* m : eligible_)
    {
        if (std::ranges::find(who.resting, m->name) != who.resting.end())
            continue;
        if (!silent_too && who.silent.has(who.cluster, m->name, now))
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
}

selection::time_point selection::next_step(time_point now) const
{
    const std::lock_guard lock(mutex_);
    return slowstart_.next_step(now);
}

std::map<std::string, member_share>
selection::shares(const health::topology& t, time_point now) const
{
    std::vector<const health::member*> eligible;
    find_eligible(role_, t, now, cluster_, eligible);
    const std::lock_guard lock(mutex_);
    std::map<std::string, member_share> all;
    for (const auto& name : open_members(role_, t, now))
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
