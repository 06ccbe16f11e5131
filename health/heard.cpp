// SPDX-License-Identifier: PostgreSQL
#include "health/heard.hpp"

#include <algorithm>

namespace rolegate::health
{

namespace
{

// It answers SQL, so it runs, whatever Patroni said before. A standby leader stays one: to
// PostgreSQL it is in recovery like any standby.
void overlay(member_word& w, const sql_word& sql)
{
    w.state = member_state::running;
    w.state_text = "running";
    if (!sql.in_recovery)
        w.role = member_role::primary;
    else if (w.role != member_role::standby_leader)
        w.role = member_role::replica;
    w.role_text = to_string(w.role);
    if (sql.timeline)
        w.timeline = sql.timeline;
    if (sql.lsn)
        w.lsn = sql.lsn;
    if (!sql.database_system_identifier.empty())
        w.database_system_identifier = sql.database_system_identifier;
}

// What moves with every answer on a busy cluster.
member_word without_progress(member_word w)
{
    w.lsn.reset();
    w.received_lsn.reset();
    w.replayed_timestamp.reset();
    w.replayed_age.reset();
    return w;
}

sql_word without_progress(sql_word w)
{
    w.lsn.reset();
    w.received_lsn.reset();
    w.replayed_age.reset();
    return w;
}

template <class Report>
bool same_answer(const Report& before, const Report& after, clock::duration within)
{
    if (!before.word || !after.word || !before.error.empty() || !after.error.empty() ||
        after.seen - before.seen > within)
        return false;
    return without_progress(*before.word) == without_progress(*after.word);
}

} // namespace

bool repeats(const word_report& before, const word_report& after, clock::duration within)
{
    return before.asked > after.refusals.since() && same_answer(before, after, within);
}

bool repeats(const sql_report& before, const sql_report& after, clock::duration within)
{
    return same_answer(before, after, within);
}

std::map<std::string, heard>
hear(const evidence& seen, std::chrono::milliseconds fresh_for, time_point now)
{
    std::map<std::string, heard> out;
    for (const auto& [name, r] : seen.words)
        if (r.answers() && now - r.seen <= fresh_for)
            out[name] = {*r.word, r.asked, r.seen, true};

    for (const auto& [name, sql] : seen.sql)
    {
        if (!sql.word || !sql.error.empty() || now - sql.seen > fresh_for)
            continue;
        auto& h = out[name];
        if (h.patroni && sql.asked <= h.asked)
            continue;
        // Tags, pause and version stay true for a while when only Patroni has died.
        if (const auto said = seen.words.find(name);
            !h.patroni && said != seen.words.end() && said->second.word)
        {
            h.word = *said->second.word;
            // The others ask a primary's Patroni whether it may go on without the lock.
            h.word.failsafe_mode_is_active = false;
        }
        overlay(h.word, *sql.word);
        h.asked = sql.asked;
        h.seen = sql.seen;
    }
    return out;
}

} // namespace rolegate::health
