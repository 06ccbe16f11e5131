// SPDX-License-Identifier: PostgreSQL
#include "proxy/role_history.hpp"

#include <algorithm>
#include <string_view>

namespace rolegate::proxy
{

namespace
{

using health::lock_belief;
using health::time_point;
using health::topology;

constexpr std::size_t max_steps = 32;

// A worker tells what it has cut within milliseconds.
constexpr std::chrono::seconds cut_grace{10};

bool has(const role_change& c, std::string_view step)
{
    return std::ranges::any_of(c.steps, [step](const role_step& s) { return step == s.step; });
}

// A change is over when somebody can be written to again.
bool over(const role_change& c)
{
    return has(c, "out_of_recovery");
}

std::string primary_of(const topology& t)
{
    const auto* p = t.primary();
    return p ? p->name : "";
}

std::string holder_of(const topology& t)
{
    return t.lock.what == lock_belief::kind::held ? t.lock.holder : "";
}

std::string reason_of(const topology& t, const std::string& member)
{
    const auto* m = t.find(member);
    return m ? m->write.reason : "is no longer a member";
}

} // namespace

role_change* role_history::latest(const std::string& cluster) noexcept
{
    const auto newest = std::find_if(
        changes_.rbegin(),
        changes_.rend(),
        [&cluster](const role_change& c) { return c.cluster == cluster; }
    );
    return newest == changes_.rend() ? nullptr : &*newest;
}

// The one that is under way, or a new one.
role_change& role_history::open_change(
    const std::string& cluster,
    const std::string& was,
    std::chrono::system_clock::time_point wall_clock
)
{
    auto* c = latest(cluster);
    if (c && !over(*c))
        return *c;
    role_change fresh;
    fresh.id = ++last_id_;
    fresh.cluster = cluster;
    fresh.from = c ? c->to : was;
    fresh.began = wall_clock;
    changes_.push_back(std::move(fresh));
    if (changes_.size() > max_changes)
        changes_.pop_front();
    return changes_.back();
}

void role_history::on_topology(
    const topology& before,
    const topology& after,
    time_point now,
    std::chrono::system_clock::time_point wall_clock
)
{
    auto was = primary_of(before);
    const auto is = primary_of(after);
    // A view that is blind for a while sees the same holder afterwards: the last known one counts.
    const bool lock_known = after.lock.what != lock_belief::kind::unknown;
    auto& known = holders_[after.cluster];
    const auto held = known;
    if (lock_known)
        known = holder_of(after);
    const auto holds = known;
    if (unseen_.contains(after.cluster))
    {
        if (is.empty() && held == holds)
            return; // the one that is known may come in a moment
        unseen_.erase(after.cluster);
        was = primaries_[after.cluster];
    }
    primaries_[after.cluster] = is;
    if (was == is && (held == holds || !is.empty()))
        return;

    auto& c = open_change(after.cluster, was, wall_clock);
    const auto add = [&](const char* step, const std::string& member, std::string detail)
    {
        // A standby cluster's leaders come and go without a primary ever: the oldest steps but the
        // first one make room.
        if (c.steps.size() >= max_steps)
            c.steps.erase(c.steps.begin() + 1);
        c.steps.push_back({step, member, now, std::move(detail)});
    };
    if (!was.empty() && was != is)
        add("writes_stopped", was, reason_of(after, was));
    if (!held.empty() && held != holds)
        add("lock_lost", held, "said by " + std::string(after.lock.source));
    if (!holds.empty() && held != holds)
        add("lock_taken", holds, "said by " + std::string(after.lock.source));
    if (!is.empty() && was != is)
    {
        add("out_of_recovery", is, reason_of(after, is));
        c.to = is;
    }
}

void role_history::take_over(memory m)
{
    changes_ = std::move(m.changes);
    while (changes_.size() > max_changes)
        changes_.pop_front();
    last_id_ = m.last_id;
    for (const auto& c : changes_)
        last_id_ = std::max(last_id_, c.id);
    holders_ = std::move(m.holders);
    primaries_ = std::move(m.primaries);
    for (const auto& [cluster, primary] : primaries_)
        if (!primary.empty())
            unseen_.insert(cluster);
}

void role_history::on_sessions_cut(
    const std::string& cluster, const std::string& member, std::size_t n, time_point now
)
{
    auto* c = latest(cluster);
    // Long after a change it is a view that went stale, or another reason that is none of its own.
    if (!c || (over(*c) && now - c->steps.back().at > cut_grace))
        return;
    // Every worker reports its own: the last one's time counts, and the sum.
    const auto known = std::ranges::find_if(
        c->steps, [&](const role_step& s) { return s.step == "sessions_cut" && s.member == member; }
    );
    if (known == c->steps.end())
        return c->steps.push_back({"sessions_cut", member, now, std::to_string(n)});
    auto sum = std::to_string(std::stoul(known->detail) + n);
    c->steps.erase(known);
    c->steps.push_back({"sessions_cut", member, now, std::move(sum)});
}

void role_history::on_first_session(
    const std::string& cluster, const std::string& member, time_point now
)
{
    auto* c = latest(cluster);
    if (c && c->to == member && !has(*c, "first_session"))
        c->steps.push_back({"first_session", member, now, ""});
}

} // namespace rolegate::proxy
