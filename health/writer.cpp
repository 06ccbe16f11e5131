// SPDX-License-Identifier: PostgreSQL
#include "health/writer.hpp"

#include <algorithm>

namespace rolegate::health
{

namespace
{

using namespace std::chrono_literals;

// How long a primary in a cluster with failsafe mode is kept while it is asked whether that is
// active. A successor needs longer than this from taking the lock to its first write, and taking
// the lock ends the wait anyhow.
constexpr auto failsafe_question = 500ms;

// A primary that is really another history must never be opened, lock or not.
std::optional<grant>
refused_by_history(const scene& s, const std::string& name, const member_word& w)
{
    const auto& id = s.before.system_identifier;
    if (!id.empty() && !w.database_system_identifier.empty() && w.database_system_identifier != id)
        return grant{
            admission::closed,
            "other-system",
            "its system identifier is " + w.database_system_identifier + ", this cluster's is " +
                id + "; if the cluster was built anew, restart Rolegate"};
    if (w.timeline && *w.timeline < s.before.highest_timeline)
        return grant{
            admission::closed,
            "old-timeline",
            "it is on timeline " + std::to_string(*w.timeline) + ", timeline " +
                std::to_string(s.before.highest_timeline) +
                " was open before; after a restore from a backup, restart Rolegate"};
    if (!w.timeline && s.before.highest_timeline > 0 && !s.was_writer(name))
        return grant{
            admission::keep, "timeline-unknown", "it does not say which timeline it is on"};
    return std::nullopt;
}

std::string silence_of(const scene& s, const std::string& name)
{
    const auto* r = s.report_of(name);
    if (!r || (!r->word && r->error.empty()))
        return "its REST API has not answered yet";
    return "its REST API is silent: " + (r->error.empty() ? "no answer lately" : r->error);
}

// PostgreSQL's last word, however old, if it is newer than Patroni's.
bool last_said_in_recovery(const scene& s, const std::string& name)
{
    const auto* r = s.report_of(name);
    const auto sql = s.seen.sql.find(name);
    return sql != s.seen.sql.end() && sql->second.word && sql->second.word->in_recovery &&
           (!r || sql->second.asked > r->asked);
}

// Holder of the lock that says nothing, neither over REST nor over SQL: nothing speaks against it
// as long as the lock is its own, if it was seen as a primary before it fell silent.
writer silent_holder(const scene& s, const std::string& name)
{
    const auto* r = s.report_of(name);
    const auto error = silence_of(s, name);
    if (s.doubted(name))
        return {
            name,
            {admission::keep,
             "refuses",
             "holds the leader lock, but has refused clients, and " + error},
            true};
    if (s.was_writer(name) && r && r->word && says_running_primary(*r->word) &&
        !last_said_in_recovery(s, name))
        return {
            name,
            {admission::open,
             "degraded",
             "holds the leader lock and was a running primary when last heard; " + error}};
    return {
        name,
        {admission::keep,
         "holder-silent",
         "holds the leader lock, but has not said that it is a running primary; " + error}};
}

writer holder_of_lock(const scene& s)
{
    const auto& name = s.lock.holder;
    const auto* voice = s.voice_of(name);
    if (!voice)
        return silent_holder(s, name);

    const auto& w = voice->word;
    if (!says_running_primary(w))
        return {
            name,
            {admission::keep,
             "holder-not-ready",
             "holds the leader lock, but is " + quoted(w.role_text) + " in state " +
                 quoted(w.state_text)}};
    const auto refusal = refused_by_history(s, name, w);
    if (refusal && refusal->verdict == admission::closed)
        return {name, *refusal};
    // A server that was killed comes back read-only before it is promoted again. Asked
    // before what depends on who was open: the same evidence twice gives the same rule.
    if (s.doubted(name))
        return {
            name,
            {admission::keep,
             "refuses",
             "holds the leader lock, but has refused clients since it said that it is a running "
             "primary"},
            true};
    // What it said before it got the lock tells nothing about now.
    if (voice->seen < s.lock.since && !s.was_writer(name))
        return {
            name, {admission::keep, "word-too-old", "has the leader lock, waiting for its word"}};
    if (refusal)
        return {name, *refusal};
    if (!voice->patroni)
        return {
            name,
            {admission::open,
             "degraded",
             "holds the leader lock and is a primary, says PostgreSQL; " + silence_of(s, name)}};
    return {
        name, {admission::open, "lock-and-word", "holds the leader lock and is a running primary"}};
}

// Without a lock to go by: the one running primary that `trusted` accepts, if it is the only one
// on its timeline.
template <class Trusted> std::string only_primary(const scene& s, Trusted trusted)
{
    std::string best;
    std::uint32_t best_timeline = 0;
    bool tie = false;
    for (const auto& [name, voice] : s.voices)
    {
        const auto& w = voice.word;
        if (!says_running_primary(w) || refused_by_history(s, name, w) || !trusted(name, w))
            continue;
        const auto timeline = w.timeline.value_or(0);
        if (!best.empty() && timeline < best_timeline)
            continue;
        tie = !best.empty() && timeline == best_timeline;
        best = name;
        best_timeline = timeline;
    }
    return tie ? "" : best;
}

// Open, unless it has refused clients since it spoke.
writer open_or_doubted(const scene& s, const std::string& name, const char* rule, std::string why)
{
    if (s.doubted(name))
        return {
            name, {admission::keep, "refuses", "has refused clients; else it is a " + why}, true};
    return {name, {admission::open, rule, std::move(why)}};
}

// The member that was written to until now, if only by the sessions it has.
std::string writer_until_now(const scene& s)
{
    if (!s.before.last_writer.empty())
        return s.before.last_writer;
    for (const auto& m : s.before.members)
        if (m.write.verdict == admission::keep)
            return m.name;
    return "";
}

// Failsafe mode is configured or was active, and the last primary has not been heard since the lock
// went: it may be lawful without. It is asked right now; a Patroni that is dead is not waited for.
bool failsafe_is_open_question(const scene& s, const std::string& name)
{
    const auto* r = s.report_of(name);
    if (!r || !r->answers())
        return false;
    const bool configured =
        (s.seen.dcs && s.seen.dcs->failsafe_mode) || r->word->failsafe_mode_is_active;
    return configured && r->asked < s.lock.since && says_running_primary(*r->word) &&
           s.now - s.lock.since < failsafe_question;
}

// The leader key is absent. Only failsafe mode and pause make a lawful primary without it.
writer nobody_holds_lock(const scene& s)
{
    const auto failsafe = only_primary(
        s,
        [&s](const std::string& name, const member_word& w)
        {
            // What was so before the lock went tells nothing about now.
            const auto* r = s.report_of(name);
            return w.failsafe_mode_is_active && r && r->asked >= s.lock.since;
        }
    );
    if (!failsafe.empty())
        return open_or_doubted(
            s, failsafe, "failsafe", "running primary in failsafe mode; nobody holds the lock"
        );

    const bool paused = s.listing && s.listing->pause;
    const auto alone =
        only_primary(s, [paused](const auto&, const member_word& w) { return paused || w.pause; });
    if (!alone.empty() && s.was_writer(alone))
        return open_or_doubted(
            s, alone, "paused", "running primary in a paused cluster without a lock"
        );

    const auto was = writer_until_now(s);
    if (failsafe_is_open_question(s, was))
        return {
            was,
            {admission::keep,
             "failsafe-asked",
             "has lost the lock; it is asked whether failsafe mode is active"},
            true};
    return {};
}

// The lease cannot be counted on any more. When somebody else than the DCS was the last to confirm
// the holder, how much of it was left is not known; but while its own Patroni answered, it renewed
// the lease, and that leaves a third of the ttl at least (Patroni: loop_wait + 2 retry_timeout <=
// ttl, by default 10 s each of 30).
bool lease_has_ended(const scene& s)
{
    const auto& d = s.seen.dcs;
    if (!d || !d->lease_ends)
        return false;
    auto ends = *d->lease_ends;
    const auto* r = s.report_of(s.before.last_writer);
    const bool led = r && r->word && r->word->role == member_role::primary;
    if (s.before.confirmed.value_or(d->seen) > d->seen && led)
        ends = std::max(ends, r->seen + s.seen.known_ttl().value_or(default_ttl) / 3);
    return s.now >= ends;
}

// In pause Patroni lets PostgreSQL be, with a lock or without, and promotes nobody by itself.
bool paused_primary(const scene& s, const std::string& name)
{
    const auto* w = s.word_of(name);
    return w && says_running_primary(*w) && (w->pause || s.before.pause);
}

bool fenced(const scene& s)
{
    return s.seen.dcs && s.rules.fence_without_dcs;
}

// Nobody could say who holds the lock (the DCS is lost): Patroni's own rule, a primary that
// answers 200 to /primary, as long as it does.
writer lock_is_unknown(const scene& s)
{
    if (fenced(s))
        return {};
    const auto claims_lock = [&s](const std::string& name, const member_word&)
    {
        const auto* r = s.report_of(name);
        return r && r->holds_lock.value_or(false) &&
               s.now - r->holds_lock_seen <= s.rules.fresh_for;
    };
    const auto name = only_primary(s, claims_lock);
    if (!name.empty())
        return open_or_doubted(
            s,
            name,
            "rest-only",
            "running primary by its own word (/primary 200); nobody can read the DCS"
        );
    const auto was = writer_until_now(s);
    if (was.empty() || (lease_has_ended(s) && !paused_primary(s, was)))
        return {};
    return {
        was, {admission::keep, "lock-unknown", "nobody can say who holds the leader lock"}, true};
}

} // namespace

writer find_writer(const scene& s)
{
    switch (s.lock.what)
    {
    case lock_belief::kind::held:
        return holder_of_lock(s);
    case lock_belief::kind::none:
        return nobody_holds_lock(s);
    case lock_belief::kind::unknown:
        break;
    }
    return lock_is_unknown(s);
}

grant no_writer(const scene& s, const writer& w)
{
    switch (s.lock.what)
    {
    case lock_belief::kind::held:
        return {admission::closed, "lock-elsewhere", s.lock.holder + " holds the leader lock"};
    case lock_belief::kind::none:
        return {admission::closed, "no-lock", "nobody holds the leader lock"};
    case lock_belief::kind::unknown:
        break;
    }
    if (fenced(s))
        return {
            admission::closed,
            "dcs-lost",
            "the DCS cannot be reached, and on_dcs_loss is fence: " + s.seen.dcs->error};
    if (w.name.empty() && lease_has_ended(s))
        return {
            admission::closed,
            "lease-ended",
            "the last known lease cannot be counted on any more, and nobody can say who holds the "
            "lock now"};
    return {admission::closed, "lock-unknown", "nobody has said who holds the leader lock"};
}

} // namespace rolegate::health
