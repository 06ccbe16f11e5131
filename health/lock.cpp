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
    const char* source = "";
    std::string reporter;       // of the latest
    time_point seen{};          // of the latest
    time_point since{};         // when a reporter last changed its mind to this
    std::uint32_t timeline = 0; // the holder's; 0 = not known, or no holder
    bool promoted = false;      // the holder was a primary when last heard

    [[nodiscard]] const std::string& name() const
    {
        static const std::string nobody;
        return holder ? holder->name : nobody;
    }
};

claim claim_of(const dcs_report& d)
{
    return {d.listing.leader(), d.source, d.endpoint, d.seen, d.since};
}

void add(std::vector<claim>& claims, claim c)
{
    c.timeline = c.holder ? c.holder->timeline.value_or(0) : 0;
    const auto same = std::ranges::find(claims, c.name(), &claim::name);
    if (same == claims.end())
    {
        claims.push_back(c);
        return;
    }
    auto& latest = same->seen > c.seen ? *same : c;
    const auto since = std::max(c.since, same->since);
    const auto timeline = std::max(c.timeline, same->timeline);
    *same = claim(latest);
    same->since = since;
    same->timeline = timeline;
}

// The last known lease of this holder has ended and its Patroni is silent: unless somebody says at
// this moment that it still holds the lock, it does not.
bool needs_news(const evidence& seen, const listed_member* holder, time_point now)
{
    const auto& d = seen.dcs;
    const auto* known = d ? d->listing.leader() : nullptr;
    if (!holder || !known || known->name != holder->name || !d->lease_ends || now < *d->lease_ends)
        return false;
    const auto said = seen.words.find(holder->name);
    return said == seen.words.end() || !said->second.answers();
}

std::vector<claim> fresh_claims(const evidence& seen, const policy& rules, time_point now)
{
    std::vector<claim> claims;
    const auto counts = [&](const listed_member* holder, time_point at, auto fresh_for)
    { return now - at <= (needs_news(seen, holder, now) ? lease_news_for : fresh_for); };
    if (!rules.fence_without_dcs)
        for (const auto& [source, r] : seen.reports)
            if (counts(r.listing.leader(), r.seen, rules.fresh_for))
                add(claims, {r.listing.leader(), "rest", source, r.seen, r.since});
    // The DCS as it was when it was lost: one report among others, soon too old.
    if (const auto& d = seen.dcs;
        d && d->seen != time_point{} && counts(d->listing.leader(), d->seen, rules.dcs_fresh_for))
        add(claims, claim_of(*d));
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

lock_belief belief_of(const claim& c)
{
    lock_belief b;
    b.what = c.holder ? lock_belief::kind::held : lock_belief::kind::none;
    b.holder = c.name();
    b.source = c.source;
    b.reporter = c.reporter;
    b.seen = c.seen;
    return b;
}

lock_belief by_reports(const evidence& seen, const policy& rules, time_point now)
{
    const auto claims = fresh_claims(seen, rules, now);
    const claim* best = nullptr;
    for (const auto& c : claims)
        if (!overtaken(c, claims) &&
            (!best || std::tie(c.since, c.seen) > std::tie(best->since, best->seen)))
            best = &c;
    return best ? belief_of(*best) : lock_belief{};
}

// Nobody confirms it, but only the holder itself could end the lease before its time.
lock_belief by_lease(const dcs_report& d)
{
    auto b = belief_of(claim_of(d));
    b.by_lease = true;
    return b;
}

// Another member says that it holds the lock and is a primary, on no lower timeline: the lease was
// given up.
bool given_up(
    const evidence& seen, const listed_member& holder, const policy& rules, time_point now
)
{
    return std::ranges::any_of(
        seen.words,
        [&](const auto& named)
        {
            const auto& [name, r] = named;
            return name != holder.name && r.answers() && r.holds_lock.value_or(false) &&
                   now - r.holds_lock_seen <= rules.fresh_for && says_running_primary(*r.word) &&
                   r.word->timeline.value_or(0) >= holder.timeline.value_or(0);
        }
    );
}

lock_belief newest_belief(const evidence& seen, const policy& rules, time_point now)
{
    const auto& d = seen.dcs;
    if (d && dcs_rules(*d, rules, now))
        return belief_of(claim_of(*d));
    auto belief = by_reports(seen, rules, now);
    const auto* holder = d ? d->listing.leader() : nullptr;
    const bool lease_left = holder && d->lease_ends && now < *d->lease_ends;
    if (belief.what == lock_belief::kind::unknown && lease_left &&
        !given_up(seen, *holder, rules, now))
        return by_lease(*d);
    return belief;
}

} // namespace

bool dcs_rules(const dcs_report& d, const policy& rules, time_point now)
{
    if (!d.connected || now - d.seen > rules.dcs_fresh_for)
        return false;
    const bool lease_over = d.listing.leader() && d.lease_ends && now >= *d.lease_ends;
    return !lease_over || now - d.seen <= lease_news_for;
}

lock_belief
believe_lock(const evidence& seen, const lock_belief& before, const policy& rules, time_point now)
{
    auto belief = newest_belief(seen, rules, now);
    const bool as_before = belief.what == before.what && belief.holder == before.holder;
    belief.since = as_before ? before.since : now;
    // What the DCS says of the lease is true of the holder it names, and while it is reached.
    if (seen.dcs && std::string_view(belief.source) == seen.dcs->source)
        belief.ends = seen.dcs->lease_ends;
    return belief;
}

const cluster_listing* listing_behind(const evidence& seen, const lock_belief& belief)
{
    if (belief.what == lock_belief::kind::unknown)
        return nullptr;
    if (seen.dcs && std::string_view(belief.source) == seen.dcs->source)
        return &seen.dcs->listing;
    const auto it = seen.reports.find(belief.reporter);
    return it == seen.reports.end() ? nullptr : &it->second.listing;
}

} // namespace rolegate::health
