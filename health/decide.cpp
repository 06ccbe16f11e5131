// SPDX-License-Identifier: PostgreSQL
//
// The way of a belief: who holds the lock -> who may be written to -> who may be read from.
// Each verdict carries the rule that made it; `rolegate explain` prints it.
#include "health/decide.hpp"

#include "health/facts.hpp"
#include "health/lock.hpp"
#include "health/progress.hpp"
#include "health/reader.hpp"
#include "health/restrain.hpp"
#include "health/writer.hpp"

#include <algorithm>

namespace rolegate::health
{

namespace
{

using namespace std::chrono_literals;

// A member that is no longer listed stays in the picture this long, so that people (and
// `explain`) can see where it went.
constexpr auto forget_after = 10min;

constexpr auto default_stale_after = 10s;

// What explain shows of the sources.
void take_sources(const scene& s, member& m)
{
    if (const auto* r = s.report_of(m.name))
    {
        m.error = r->error;
        if (r->word)
            m.word_seen = r->seen;
    }
    const auto sql = s.seen.sql.find(m.name);
    if (sql == s.seen.sql.end())
        return;
    m.sql_error = sql->second.error;
    if (sql->second.word)
    {
        m.sql_in_recovery = sql->second.word->in_recovery;
        m.sql_seen = sql->second.seen;
    }
}

member base_of(const scene& s, const member* before, const listed_member* listed)
{
    member m = before ? *before : member{};
    m.write = {};
    m.read = {};
    m.grants.clear();
    if (listed)
    {
        m.name = listed->name;
        // A holder without a key of its own (that one may run out first) is where it was.
        if (!listed->holds_lock || !listed->host.empty())
        {
            const auto place = s.place_of(*listed);
            if (m.host != place.host)
            {
                m.address.clear(); // another host: the old address may be somebody else's by now
                m.other_addresses.clear();
            }
            m.host = place.host;
            m.port = place.port;
            m.api_url = listed->api_url;
        }
        m.role = listed->role;
        m.state = listed->state;
        m.state_text = listed->state_text;
        m.timeline = listed->timeline;
        m.lag_bytes = listed->lag_bytes;
        m.listed_seen = s.lock.seen;
    }
    if (s.listing)
        m.listed = listed != nullptr;

    take_addresses(m, s.seen.addresses);
    if (const auto* w = s.word_of(m.name))
    {
        m.role = w->role;
        m.state = w->state;
        m.state_text = w->state_text;
        if (w->timeline)
            m.timeline = w->timeline;
    }
    else if (s.listing && !listed)
    {
        // Nobody speaks for it: a dead host was a primary, and two are not two primaries.
        m.role = member_role::unknown;
        m.state = member_state::unknown;
        m.state_text.clear();
        m.timeline.reset();
    }
    take_sources(s, m);
    if (s.rules.checks_members)
        take_check(m, s.seen.checks);
    take_order(m, s.rules.orders);
    return m;
}

std::vector<member> members_in_sight(const scene& s)
{
    std::vector<member> out;
    if (s.listing)
        for (const auto& listed : s.listing->members)
            out.push_back(base_of(s, s.before.find(listed.name), &listed));
    for (const auto& m : s.before.members)
    {
        const bool has = std::ranges::find(out, m.name, &member::name) != out.end();
        // While nobody can list the members, nobody can say that one has left.
        if (!has && (!s.listing || s.now - m.listed_seen <= forget_after))
            out.push_back(base_of(s, &m, nullptr));
    }
    std::ranges::sort(out, {}, &member::name);
    return out;
}

void remember_history(const scene& s, topology& t, const writer& w)
{
    if (w.write.verdict != admission::open)
        return;
    const auto* word = s.word_of(w.name);
    if (!word)
        return;
    if (word->timeline && *word->timeline > t.highest_timeline)
    {
        t.highest_timeline = *word->timeline;
        t.timeline_since = s.now;
    }
    if (t.system_identifier.empty())
        t.system_identifier = word->database_system_identifier;
}

// The DCS is out for all: whoever was written to has given up, or nobody was, and what the members
// say of themselves is all there is to know. Not while a writer is silent: he may live on.
bool words_are_all(const scene& s, const writer& w)
{
    if (!s.before.confirmed || (s.seen.dcs && s.rules.fence_without_dcs))
        return false;
    const auto* word = s.word_of(w.name);
    return w.name.empty() || (word && word->role == member_role::replica);
}

std::optional<time_point> confirmed_at(const scene& s, const writer& w)
{
    auto latest = s.before.confirmed;
    if (s.lock.what != lock_belief::kind::unknown)
        latest = std::max(latest.value_or(s.lock.seen), s.lock.seen);
    else if (w.write.verdict == admission::open)
        latest = std::max(latest.value_or(time_point{}), s.voice_of(w.name)->seen);
    else if (words_are_all(s, w))
        for (const auto& [name, voice] : s.voices)
            latest = std::max(*latest, voice.seen);
    return latest;
}

dcs_link link_of(const evidence& seen)
{
    if (!seen.dcs)
        return {};
    const auto& d = *seen.dcs;
    dcs_link link{d.source, d.connected, d.endpoint, std::nullopt, d.error};
    if (d.seen != time_point{})
        link.seen = d.seen;
    return link;
}

// Between two leaders nobody can tell.
bool is_standby_cluster(const scene& s)
{
    const auto* leader = s.listing ? s.listing->leader() : nullptr;
    return leader ? leader->role == member_role::standby_leader : s.before.standby_cluster;
}

// Who may be written to again without a new word.
std::string last_writer_after(const topology& before, const writer& w)
{
    const bool goes_on = w.nothing_new && w.name == before.last_writer;
    return w.write.verdict == admission::open || goes_on ? w.name : "";
}

} // namespace

topology decide(const evidence& seen, const policy& rules, const topology& before, time_point now)
{
    scene s{seen, rules, before, now, believe_lock(seen, before.lock, rules, now)};
    s.listing = listing_behind(seen, s.lock);
    s.voices = hear(seen, rules.word_fresh_for, now);

    topology t;
    t.cluster = rules.cluster;
    t.began = before.began;
    t.lock = s.lock;
    t.dcs = link_of(seen);
    t.pause = s.listing ? s.listing->pause : before.pause;
    t.switchover = s.listing ? s.listing->switchover : before.switchover;
    t.failsafe_mode = seen.dcs && seen.dcs->failsafe_mode;
    t.end_when_stale = rules.end_when_stale;
    t.standby_cluster = is_standby_cluster(s);
    t.highest_timeline = before.highest_timeline;
    t.timeline_since = before.timeline_since;
    t.system_identifier = before.system_identifier;
    // Never shorter than a report counts as fresh: with long intervals every view would be stale.
    t.stale_after = rules.stale_after.value_or(
        std::max(seen.known_ttl().value_or(default_stale_after), rules.fresh_for)
    );

    const auto w = find_writer(s);
    t.last_writer = last_writer_after(before, w);
    remember_history(s, t, w);
    t.confirmed = confirmed_at(s, w);

    note_position(t, before, leader_position(s));
    t.members = members_in_sight(s);
    for (auto& m : t.members)
    {
        take_facts(s, t, m);
        m.write = m.name == w.name ? w.write : no_writer(s, w);
        m.read = read_grant(s, t, m);
        close_unreachable(m.write, m);
        close_unreachable(m.read, m);
    }
    grant_demands(t, before, rules.demands, now);

    const bool changed = !same_belief(before, t);
    t.generation = before.generation + (changed ? 1 : 0);
    t.cause = changed ? cause_of_change(before, t) : before.cause;
    return t;
}

} // namespace rolegate::health
