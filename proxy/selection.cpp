// SPDX-License-Identifier: PostgreSQL
#include "proxy/selection.hpp"

#include <algorithm>
#include <random>

namespace rolegate::proxy
{

selection::selection(
    destination to, config::balance_algorithm how, const config::cluster_settings& cluster
)
    : to_(to), cluster_(cluster), slowstart_(to, cluster), balance_(how, std::random_device()())
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
    find_eligible(to_, t, now, cluster_, eligible_);
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
            return found.member->name;
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
    find_eligible(to_, t, now, cluster_, eligible);
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
