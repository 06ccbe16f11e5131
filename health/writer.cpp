// SPDX-License-Identifier: PostgreSQL
#include "health/writer.hpp"

namespace rolegate::health
{

namespace
{

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
    if (!w.timeline && s.before.highest_timeline > 0 && !s.was_open_for_writes(name))
        return grant{
            admission::keep, "timeline-unknown", "it does not say which timeline it is on"};
    return std::nullopt;
}

// Holder of the lock whose REST API does not answer: nothing speaks against it as long as the
// lock is its own, if it was seen as a primary before it fell silent.
writer silent_holder(const scene& s, const std::string& name)
{
    const auto* r = s.report_of(name);
    const std::string error = r && !r->error.empty() ? r->error : "no answer lately";
    if (s.doubted(name))
        return {
            name,
            {admission::keep,
             "refuses",
             "holds the leader lock, but has refused clients, and its REST API is silent: " +
                 error}};
    if (s.was_open_for_writes(name) && r && r->word && says_running_primary(*r->word))
        return {
            name,
            {admission::open,
             "degraded",
             "holds the leader lock and was a running primary when last heard; its REST API is "
             "silent: " +
                 error}};
    return {
        name,
        {admission::keep,
         "holder-silent",
         "holds the leader lock, but has not said that it is a running primary: " + error}};
}

writer holder_of_lock(const scene& s)
{
    const auto& name = s.lock.holder;
    const auto* w = s.word_of(name);
    if (!w)
        return silent_holder(s, name);

    if (!says_running_primary(*w))
        return {
            name,
            {admission::keep,
             "holder-not-ready",
             "holds the leader lock, but is " + quoted(w->role_text) + " in state " +
                 quoted(w->state_text)}};
    if (auto refusal = refused_by_history(s, name, *w))
        return {name, *refusal};

    // What it said before it got the lock tells nothing about now.
    if (s.report_of(name)->seen < s.lock.since && !s.was_open_for_writes(name))
        return {
            name, {admission::keep, "word-too-old", "has the leader lock, waiting for its word"}};
    // A server that was killed comes back read-only before it is promoted again.
    if (s.doubted(name))
        return {
            name,
            {admission::keep,
             "refuses",
             "holds the leader lock, but has refused clients since it said that it is a running "
             "primary"}};
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
    for (const auto& [name, report] : s.seen.words)
    {
        const auto* w = s.word_of(name);
        if (!w || !says_running_primary(*w) || refused_by_history(s, name, *w) ||
            !trusted(*w, report))
            continue;
        const auto timeline = w->timeline.value_or(0);
        if (!best.empty() && timeline < best_timeline)
            continue;
        tie = !best.empty() && timeline == best_timeline;
        best = name;
        best_timeline = timeline;
    }
    return tie ? "" : best;
}

// The leader key is absent. Only failsafe mode and pause make a lawful primary without it.
writer nobody_holds_lock(const scene& s)
{
    const auto failsafe =
        only_primary(s, [](const auto& w, const auto&) { return w.failsafe_mode_is_active; });
    if (!failsafe.empty())
        return {
            failsafe,
            {admission::open,
             "failsafe",
             "running primary in failsafe mode; nobody holds the lock"}};

    const bool paused = s.listing && s.listing->pause;
    const auto alone =
        only_primary(s, [paused](const auto& w, const auto&) { return paused || w.pause; });
    if (!alone.empty() && s.was_open_for_writes(alone))
        return {
            alone,
            {admission::open, "paused", "running primary in a paused cluster without a lock"}};
    return {};
}

// Nobody could say who holds the lock (the DCS is lost): Patroni's own rule, a primary that
// answers 200 to /primary, as long as it does.
writer lock_is_unknown(const scene& s)
{
    const auto name = only_primary(
        s,
        [&s](const auto&, const word_report& r)
        { return r.holds_lock.value_or(false) && s.now - r.holds_lock_seen <= s.rules.fresh_for; }
    );
    if (!name.empty())
        return {
            name,
            {admission::open,
             "rest-only",
             "running primary by its own word (/primary 200); no member can read the DCS"}};
    const auto* was = s.before.primary();
    if (!was)
        for (const auto& m : s.before.members)
            if (m.write.verdict == admission::keep)
                was = &m;
    if (!was)
        return {};
    return {
        was->name,
        {admission::keep, "lock-unknown", "no member can say who holds the leader lock"}};
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

grant no_writer(const scene& s)
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
    return {admission::closed, "lock-unknown", "nobody has said who holds the leader lock"};
}

} // namespace rolegate::health
