// SPDX-License-Identifier: PostgreSQL
#include "health/postgres/writer.hpp"

#include <algorithm>
#include <set>

namespace rolegate::health::postgres
{

namespace
{

std::string on_timeline(std::uint32_t timeline)
{
    return "timeline " + std::to_string(timeline);
}

std::string why_silent(const testimony& t)
{
    return t.said.error.empty() ? "no answer yet" : t.said.error;
}

// Whoever stands in the way of `t`, as a list of names; "" = nobody.
template <class Stands> std::string others(const scene& s, const testimony& t, Stands stands)
{
    std::string names;
    for (const auto& m : s.seen.members)
        if (m.name != t.name && stands(m))
            names += (names.empty() ? "" : ", ") + m.name;
    return names;
}

// By its last word, however old; one that has moved has said nothing where it is now.
std::uint32_t last_known_timeline(const scene& s, const testimony& t)
{
    if (t.said.word)
        return t.timeline();
    const auto* was = s.before.find(t.name);
    return was ? was->timeline.value_or(0) : 0;
}

// The last writer, of which we do not know any better, is still what it was.
bool is_silent_writer(const scene& s, const testimony& t)
{
    return t.name == s.before.last_writer && !t.speaks() && is_of(t, s.before.system_identifier) &&
           last_known_timeline(s, t) >= s.highest_timeline;
}

bool is_primary_now(const scene& s, const testimony& t)
{
    return std::ranges::find(s.primaries, &t) != s.primaries.end();
}

// A primary that must not be written to whatever else is true; nullopt: nothing against it.
std::optional<grant> fenced_by_history(const scene& s, const testimony& t)
{
    const auto& id = s.before.system_identifier;
    if (!is_of(t, id))
        return grant{
            admission::closed,
            "other-system",
            "its system identifier is " + t.said.word->database_system_identifier +
                ", this cluster's is " + id + "; if the cluster was built anew, restart Rolegate"};
    if (s.primaries_differ)
        return grant{
            admission::closed,
            "systems-differ",
            "is a primary, and so is a member with another system identifier: they are not one "
            "cluster"};
    if (t.timeline() == 0)
        return grant{
            admission::closed, "timeline-unknown", "it does not say which timeline it is on"};
    if (t.timeline() >= s.highest_timeline)
        return std::nullopt;
    const auto newer = others(s, t, [&](const testimony& m) { return is_primary_now(s, m); });
    const auto highest = on_timeline(s.highest_timeline);
    return grant{
        admission::closed,
        "old-timeline",
        "is a primary on " + on_timeline(t.timeline()) + ", but " +
            (newer.empty() ? highest + " was seen before; after a restore from a backup, restart "
                                       "Rolegate"
                           : newer + " was promoted to " + highest)};
}

// The last writer says nothing: its sessions may go on, for it may only be out of our sight.
grant silent_writer(const testimony& t)
{
    return {
        admission::keep,
        "writer-silent",
        "was the primary when last heard, and nobody has been promoted since; " + why_silent(t)};
}

// Not written to until now: what else must be so before it is?
std::optional<grant> not_yet(const scene& s, const testimony& t, time_point fenced)
{
    if (!t.answers())
        return grant{
            admission::keep, "word-too-old", "was a primary when last heard; " + why_silent(t)};
    // After the start and after a time of silence, who answers first need not be the newest.
    const auto unasked = others(
        s,
        t,
        [&](const testimony& m) {
            return m.state == hearing::unheard ||
                   (m.state == hearing::silent && m.tried < t.heard_since);
        }
    );
    if (!unasked.empty())
        return grant{
            admission::keep,
            "others-unheard",
            "is a running primary; before it is opened, " + unasked +
                " must have answered or failed"};
    if (s.now - fenced < handover)
        return grant{
            admission::keep,
            "handover",
            "is a running primary; the old one's sessions are being ended"};
    return std::nullopt;
}

grant primary_grant(const scene& s, const testimony& t, time_point fenced)
{
    if (const auto refusal = fenced_by_history(s, t))
        return *refusal;
    const auto rivals = others(
        s, t, [&](const testimony& m) { return is_primary_now(s, m) || is_silent_writer(s, m); }
    );
    if (!rivals.empty())
        return {
            admission::closed,
            "same-timeline",
            "is a primary on " + on_timeline(t.timeline()) + " like " + rivals +
                ", without a promotion: nobody can say which one counts; stop the wrong one, or "
                "restart Rolegate when it is gone for good"};
    if (t.state != hearing::heard)
        return {
            s.before.last_writer == t.name ? admission::keep : admission::closed,
            "rise",
            "is a running primary again, but has answered only " + std::to_string(t.in_row) +
                " times of " + std::to_string(s.rules.rise)};
    if (t.doubted())
        return {
            admission::keep,
            "refuses",
            "has refused clients since it said that it is a running primary"};
    const auto* was = s.before.primary();
    if (!was || was->name != t.name)
        if (const auto wait = not_yet(s, t, fenced))
            return *wait;
    if (!t.answers())
        return {
            admission::open, "degraded", "was the only primary when last heard; " + why_silent(t)};
    return {
        admission::open,
        "only-primary",
        "is the only running primary, on " + on_timeline(t.timeline())};
}

} // namespace

scene::scene(const evidence& e, const policy& p, const topology& t, time_point at)
    : seen(e), rules(p), before(t), now(at), highest_timeline(t.highest_timeline)
{
    complete = before.confirmed ||
               std::ranges::none_of(
                   seen.members, [](const testimony& m) { return m.state == hearing::unheard; }
               );
    std::set<std::string> systems;
    std::set<std::string> of_primaries;
    for (const auto& m : seen.members)
    {
        if (!m.speaks() || m.said.word->database_system_identifier.empty())
            continue;
        systems.insert(m.said.word->database_system_identifier);
        if (m.claims())
            of_primaries.insert(m.said.word->database_system_identifier);
    }
    const bool unknown = before.system_identifier.empty();
    systems_differ = unknown && systems.size() > 1;
    primaries_differ = unknown && of_primaries.size() > 1;

    for (const auto& m : seen.members)
        if (complete && !primaries_differ && m.claims() && is_of(m, before.system_identifier))
            highest_timeline = std::max(highest_timeline, m.timeline());
    for (const auto& m : seen.members)
        if (m.claims() && is_of(m, before.system_identifier) && m.timeline() == highest_timeline)
            primaries.push_back(&m);
}

bool is_of(const testimony& t, const std::string& system)
{
    return system.empty() || !t.said.word || t.said.word->database_system_identifier.empty() ||
           t.said.word->database_system_identifier == system;
}

grant write_grant(const scene& s, const testimony& t, time_point fenced)
{
    if (t.claims())
        return primary_grant(s, t, fenced);
    if (t.speaks())
        return {admission::closed, "in-recovery", "is in recovery, a standby"};
    // Also of one whose name leads elsewhere now: whoever is there has not been asked.
    if (t.state == hearing::unheard)
        return {admission::closed, "unheard", "has not been heard yet: " + why_silent(t)};
    if (is_silent_writer(s, t))
        return silent_writer(t);
    return {admission::closed, "silent", "does not answer: " + why_silent(t)};
}

std::string last_writer_after(const scene& s, const std::string& open)
{
    if (!open.empty())
        return open;
    const auto* w = s.seen.find(s.before.last_writer);
    if (!w)
        return "";
    const bool standby = w->said.word && w->speaks() && w->said.word->in_recovery;
    return standby || last_known_timeline(s, *w) < s.highest_timeline ||
                   !is_of(*w, s.before.system_identifier)
               ? ""
               : w->name;
}

} // namespace rolegate::health::postgres
