// SPDX-License-Identifier: PostgreSQL
#include "health/postgres/decide.hpp"

#include "health/postgres/writer.hpp"
#include "health/progress.hpp"
#include "health/restrain.hpp"

#include <algorithm>

namespace rolegate::health::postgres
{

namespace
{

using namespace std::chrono_literals;

constexpr auto default_stale_after = 10s;

member base_of(const scene& s, const testimony& t)
{
    const auto* before = s.before.find(t.name);
    member m = before ? *before : member{};
    m.write = {};
    m.read = {};
    m.name = t.name;
    m.host = t.host;
    m.port = t.port;
    m.lag_bytes.reset();
    m.lag_time.reset();
    take_addresses(m, s.seen.addresses);
    m.other_addresses.clear(); // nobody has been asked there who he is
    m.sql_error = t.said.error;
    if (s.rules.checks_members)
        take_check(m, s.seen.checks);
    take_order(m, s.rules.orders);
    m.state = member_state::unknown;
    m.state_text = t.state == hearing::unheard ? "" : "silent";
    if (!t.said.word)
        return m;
    const auto& w = *t.said.word;
    m.sql_in_recovery = w.in_recovery;
    m.sql_seen = t.said.seen;
    m.role = w.in_recovery ? member_role::replica : member_role::primary;
    m.timeline = w.in_recovery ? w.received_timeline : w.timeline;
    if (t.speaks())
    {
        m.state = member_state::running;
        m.state_text = "running";
    }
    return m;
}

// `system` is that of the first primary opened, this decision included.
grant read_grant(const scene& s, const testimony& t, const std::string& system)
{
    if (t.state == hearing::unheard)
        return {admission::keep, "unheard", "has not been heard yet"};
    if (!t.speaks())
        return {admission::keep, "silent", "does not answer: " + t.said.error};
    if (!is_of(t, system))
        return {admission::closed, "other-system", "it belongs to another cluster"};
    if (t.claims())
        return {admission::closed, "is-primary", "is a primary"};
    if (!s.complete)
        return {admission::keep, "others-unheard", "waits until every member has been asked"};
    if (s.systems_differ && system.empty())
        return {
            admission::keep,
            "systems-differ",
            "the members have different system identifiers, and no primary says which one counts"};
    if (t.state != hearing::heard)
        return {
            admission::keep,
            "rise",
            "answers again, but only " + std::to_string(t.in_row) + " times of " +
                std::to_string(s.rules.rise)};
    return {admission::open, "standby", "is a standby that answers"};
}

// Whom standbys are held against; nullptr when it is silent or does not tell where it is.
const testimony* measure_of(const scene& s, const topology& t)
{
    const auto* p = t.primary();
    const auto* writer = s.seen.find(p ? p->name : t.last_writer);
    return writer && writer->claims() && writer->said.word->lsn ? writer : nullptr;
}

bool is_comparable(const testimony& t, const testimony& writer)
{
    return t.speaks() && !t.claims() && t.said.word->lsn &&
           t.said.word->database_system_identifier == writer.said.word->database_system_identifier;
}

// Of standbys that can be compared with a primary that answers; unknown is not zero.
void measure_lag(const scene& s, topology& t)
{
    const auto* writer = measure_of(s, t);
    std::optional<wal_position> now;
    if (writer)
        now = {writer->name, *writer->said.word->lsn, writer->said.seen};
    note_position(t, s.before, now);
    for (auto& m : t.members)
    {
        const auto& standby = *s.seen.find(m.name);
        if (!writer || !is_comparable(standby, *writer))
        {
            m.up_to_date.reset();
            continue;
        }
        const auto& said = standby.said;
        const auto* then = position_for(t, said.seen, s.rules.fresh_for);
        const auto there = then ? then->lsn : now->lsn; // its first answer may be the older one
        m.lag_bytes = std::max<std::int64_t>(there - *said.word->lsn, 0);
        measure_lag_time(
            m, {said.word->lsn, said.word->received_lsn, said.word->replayed_age, said.seen}
        );
    }
}

// Sessions may have been on whoever was not closed.
bool closes_somebody(const topology& before, const topology& after)
{
    return std::ranges::any_of(
        before.members,
        [&after](const member& was)
        {
            const auto* is = after.find(was.name);
            return was.write.verdict != admission::closed &&
                   (!is || is->write.verdict == admission::closed);
        }
    );
}

void grant_writes(const scene& s, topology& t)
{
    const auto grant_all = [&]
    {
        for (auto& m : t.members)
            m.write = write_grant(s, *s.seen.find(m.name), t.fenced);
    };
    grant_all();
    if (!closes_somebody(s.before, t))
        return;
    // Only now is it known that whoever comes next has to wait for that.
    t.fenced = s.now;
    grant_all();
}

void remember_history(const scene& s, topology& t)
{
    t.highest_timeline = s.highest_timeline;
    if (s.highest_timeline > s.before.highest_timeline)
        t.timeline_since = s.now;
    const auto* p = t.primary();
    t.last_writer = last_writer_after(s, p ? p->name : "");
    if (p && t.system_identifier.empty())
        t.system_identifier = s.seen.find(p->name)->said.word->database_system_identifier;
}

// By whoever answers: what one member says of itself is true whether others are heard or not.
std::optional<time_point> confirmed_at(const scene& s)
{
    auto latest = s.before.confirmed;
    if (s.complete)
        for (const auto& m : s.seen.members)
            if (m.answers())
                latest = std::max(latest.value_or(m.said.seen), m.said.seen);
    return latest;
}

} // namespace

topology decide(const evidence& seen, const policy& rules, const topology& before, time_point now)
{
    const scene s(seen, rules, before, now);

    topology t;
    t.cluster = rules.cluster;
    t.kind = cluster_kind::postgres;
    t.began = before.began;
    t.end_when_stale = rules.end_when_stale;
    t.system_identifier = before.system_identifier;
    t.timeline_since = before.timeline_since;
    t.fenced = before.fenced;
    t.confirmed = confirmed_at(s);
    t.stale_after = rules.stale_after.value_or(
        std::max<std::chrono::milliseconds>(default_stale_after, rules.fresh_for)
    );

    for (const auto& m : seen.members)
        t.members.push_back(base_of(s, m));
    std::ranges::sort(t.members, {}, &member::name);
    grant_writes(s, t);
    remember_history(s, t);
    measure_lag(s, t);
    for (auto& m : t.members)
    {
        const auto* was = before.find(m.name);
        const bool was_open = was && was->read.verdict == admission::open;
        const auto& said = *seen.find(m.name);
        m.read = follows_timeline(t, m, read_grant(s, said, t.system_identifier), was_open, now);
        // A failure or two close nobody, and open nobody either.
        if (m.read.verdict == admission::open && !said.answers() && !was_open)
            m.read = {admission::keep, "silent", "does not answer: " + said.said.error};
        close_unreachable(m.write, m);
        close_unreachable(m.read, m);
    }
    grant_demands(t, before, rules.demands, now);

    const bool changed = !same_belief(before, t);
    t.generation = before.generation + (changed ? 1 : 0);
    t.cause = changed ? cause_of_change(before, t) : before.cause;
    return t;
}

} // namespace rolegate::health::postgres
