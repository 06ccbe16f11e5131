// SPDX-License-Identifier: PostgreSQL
#include "health/lock.hpp"

#include <algorithm>
#include <tuple>
#include <vector>

namespace rolegate::health
{

namespace
{

// What the fresh reports say of one holder, or of the key's absence, taken together.
struct claim
{
    const listed_member* holder = nullptr; // nullptr: the key is absent
    const lock_report* latest = nullptr;
    const std::string* source = nullptr; // of the latest
    time_point since{};                  // when a reporter last changed its mind to this
    std::uint32_t timeline = 0;          // the holder's; 0 = not known, or no holder
    bool promoted = false;               // the holder was a primary when last heard

    [[nodiscard]] const std::string& name() const
    {
        static const std::string nobody;
        return holder ? holder->name : nobody;
    }
};

void add(std::vector<claim>& claims, const std::string& source, const lock_report& report)
{
    claim c{report.listing.leader(), &report, &source, report.since};
    c.timeline = c.holder ? c.holder->timeline.value_or(0) : 0;
    const auto same = std::ranges::find(claims, c.name(), &claim::name);
    if (same == claims.end())
    {
        claims.push_back(c);
        return;
    }
    c.since = std::max(c.since, same->since);
    c.timeline = std::max(c.timeline, same->timeline);
    if (same->latest->seen > report.seen)
    {
        c.latest = same->latest;
        c.source = same->source;
        c.holder = same->holder;
    }
    *same = c;
}

std::vector<claim>
fresh_claims(const evidence& seen, std::chrono::milliseconds fresh_for, time_point now)
{
    std::vector<claim> claims;
    for (const auto& [source, report] : seen.reports)
        if (now - report.seen <= fresh_for)
            add(claims, source, report);
    for (auto& c : claims)
    {
        const auto said = seen.words.find(c.name());
        if (said == seen.words.end() || !said->second.word)
            continue;
        c.timeline = std::max(c.timeline, said->second.word->timeline.value_or(0));
        c.promoted = said->second.word->role == member_role::primary;
    }
    return claims;
}

// A promotion raises the timeline: a claim for a holder below it is older than the promotion.
bool overtaken(const claim& c, const std::vector<claim>& claims)
{
    return c.timeline > 0 &&
           std::ranges::any_of(
               claims,
               [&c](const claim& other) { return other.promoted && other.timeline > c.timeline; }
           );
}

} // namespace

lock_belief believe_lock(
    const evidence& seen,
    const lock_belief& before,
    std::chrono::milliseconds fresh_for,
    time_point now
)
{
    const auto claims = fresh_claims(seen, fresh_for, now);
    const claim* best = nullptr;
    for (const auto& c : claims)
        if (!overtaken(c, claims) && (!best || std::tie(c.since, c.latest->seen) >
                                                   std::tie(best->since, best->latest->seen)))
            best = &c;

    lock_belief belief;
    if (best)
    {
        belief.what = best->holder ? lock_belief::kind::held : lock_belief::kind::none;
        belief.holder = best->name();
        belief.source = *best->source;
        belief.seen = best->latest->seen;
    }
    const bool as_before = belief.what == before.what && belief.holder == before.holder;
    belief.since = as_before ? before.since : now;
    return belief;
}

const lock_report* report_behind(const evidence& seen, const lock_belief& belief)
{
    if (belief.what == lock_belief::kind::unknown)
        return nullptr;
    const auto it = seen.reports.find(belief.source);
    return it == seen.reports.end() ? nullptr : &it->second;
}

} // namespace rolegate::health
