// SPDX-License-Identifier: PostgreSQL
#include "health/facts.hpp"

#include "health/progress.hpp"

#include <algorithm>

namespace rolegate::health
{

namespace
{

// Patroni's word over REST, if it answers and has said so lately. PostgreSQL alone does not know
// its tags, nor whether it is a synchronous standby.
const member_word* patroni_word(const scene& s, const std::string& name)
{
    const auto* r = s.report_of(name);
    const bool fresh = r && r->answers() && s.now - r->seen <= s.rules.word_fresh_for;
    return fresh ? &*r->word : nullptr;
}

bool is_replica(const topology& t, const member& m)
{
    return m.role == member_role::replica && m.name != t.lock.holder;
}

// --- does the primary wait for it ---------------------------------------------------------------

// The keys of the DCS are what Patroni itself answers by. At second hand a listing may still show
// a key that is no longer in force (up to 3.3.0); the member's own word does not, but it says
// nothing before 3.0.2, nor while its Patroni sees no leader.
sync_state sync_by_word(const member_word& w)
{
    if (w.sync_standby)
        return sync_state::sync;
    if (w.quorum_standby)
        return sync_state::quorum;
    const bool tells = version_of(w.patroni_version) > std::array{3, 0, 1} && !w.cluster_unlocked;
    return tells ? sync_state::async : sync_state::unknown;
}

sync_state sync_by_listing(const listed_member& listed)
{
    if (listed.role_text == "sync_standby")
        return sync_state::sync;
    return listed.role_text == "quorum_standby" ? sync_state::quorum : sync_state::async;
}

sync_state sync_of(const scene& s, const member_word* w, const listed_member* listed)
{
    const bool first_hand = s.seen.dcs && s.listing == &s.seen.dcs->listing;
    if (listed && first_hand)
        return sync_by_listing(*listed);
    const auto said = w ? sync_by_word(*w) : sync_state::unknown;
    return said == sync_state::unknown && listed ? sync_by_listing(*listed) : said;
}

// --- how far it is behind -----------------------------------------------------------------------

void measure_lag(const scene& s, const topology& t, member& m)
{
    const auto* voice = s.voice_of(m.name);
    const auto* p =
        voice && voice->word.lsn ? position_for(t, voice->seen, s.rules.word_fresh_for) : nullptr;
    if (p && p->member != m.name)
    {
        m.lag_bytes = std::max<std::int64_t>(0, p->lsn - *voice->word.lsn);
        m.lag_seen = voice->seen;
        return;
    }
    // What was measured lately is better than what the listing says, which is ten seconds old.
    const auto* was = s.before.find(m.name);
    if (was && was->lag_seen && s.now - *was->lag_seen <= s.rules.word_fresh_for)
    {
        m.lag_bytes = was->lag_bytes;
        return;
    }
    m.lag_seen.reset();
    if (!s.listing)
        m.lag_bytes.reset();
}

} // namespace

std::array<int, 3> version_of(std::string_view text) noexcept
{
    std::array<int, 3> part{};
    std::size_t i = 0;
    for (const char c : text)
    {
        if (c == '.' && ++i == part.size())
            break;
        if (c >= '0' && c <= '9' && part[i] < 1000)
            part[i] = part[i] * 10 + (c - '0');
    }
    return part;
}

std::optional<wal_position> leader_position(const scene& s)
{
    const auto* voice = s.voice_of(s.lock.holder);
    if (!voice || !voice->word.lsn || voice->word.state != member_state::running)
        return std::nullopt;
    const auto role = voice->word.role;
    if (role != member_role::primary && role != member_role::standby_leader)
        return std::nullopt;
    return wal_position{s.lock.holder, *voice->word.lsn, voice->seen};
}

void take_facts(const scene& s, const topology& t, member& m)
{
    const auto* w = patroni_word(s, m.name);
    const auto* listed = s.listing ? s.listing->find(m.name) : nullptr;
    if (w)
        m.tags = w->tags;
    else if (listed)
        m.tags = listed->tags;

    m.sync = sync_state::unknown;
    m.replication_state.clear();
    m.lag_time.reset();
    if (!is_replica(t, m))
    {
        m.lag_bytes.reset();
        m.lag_seen.reset();
        m.up_to_date.reset();
        return;
    }
    m.sync = sync_of(s, w, listed);
    if (w)
        m.replication_state = w->replication_state;
    else if (listed && listed->state_text != "running" && listed->state == member_state::running)
        m.replication_state = listed->state_text; // from 3.0.4 on it stands there
    measure_lag(s, t, m);
    if (w)
        measure_lag_time(m, {w->lsn, w->received_lsn, w->replayed_age, s.report_of(m.name)->seen});
}

} // namespace rolegate::health
