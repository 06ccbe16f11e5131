// SPDX-License-Identifier: PostgreSQL
#include "health/reader.hpp"

#include "health/facts.hpp"
#include "health/restrain.hpp"

namespace rolegate::health
{

namespace
{

// Patroni 3.0.4 and later say whether a replica streams; there, silence means that it does not.
bool tells_replication_state(const member_word& w)
{
    return version_of(w.patroni_version) > std::array{3, 0, 3};
}

// Without a primary nobody streams, and with a new one the others begin anew: Patroni's /replica is
// 200 for them all the while.
bool should_stream(const scene& s, const topology& now_believed, const member& m)
{
    const auto* leader = s.word_of(s.lock.holder);
    if (!leader || leader->state != member_state::running)
        return false;
    return !s.was_open_for_reads(m.name) || !has_time_to_follow(now_believed, s.now);
}

grant read_by_word(
    const scene& s, const topology& now_believed, const member& m, const member_word& w
)
{
    if (w.role == member_role::primary)
        return {admission::closed, "is-primary", "is a primary"};
    if (w.role == member_role::standby_leader)
        return {admission::keep, "not-replica", "leads a standby cluster"};
    if (m.name == s.lock.holder)
        return {admission::keep, "holds-lock", "holds the leader lock, it is being promoted"};
    if (w.role != member_role::replica)
        return {admission::keep, "not-replica", "its role is " + quoted(w.role_text)};
    if (w.state != member_state::running)
        return {admission::keep, "not-running", "its state is " + quoted(w.state_text)};
    const auto& id = now_believed.system_identifier;
    if (!id.empty() && !w.database_system_identifier.empty() && w.database_system_identifier != id)
        return {admission::closed, "other-system", "it belongs to another cluster"};
    if (w.noloadbalance)
        return {admission::keep, "noloadbalance", "tagged noloadbalance"};
    const bool streams = w.replication_state.empty() ? !tells_replication_state(w)
                                                     : w.replication_state == "streaming";
    if (!streams && should_stream(s, now_believed, m))
        return {
            admission::keep,
            "not-streaming",
            w.replication_state.empty() ? "it receives nothing from the primary"
                                        : "its replication is " + quoted(w.replication_state)};
    return {admission::open, "running-replica", "is a running replica"};
}

// The member is silent, but its own key in the DCS still says that it runs: Patroni's REST API may
// be down while the standby is good.
grant read_by_listing(const scene& s, const member& m, const listed_member* listed)
{
    if (!listed)
        return {
            admission::keep,
            "silent",
            m.listed ? "does not answer, and nobody lists the members" : "is no longer a member"};
    if (listed->holds_lock)
        return {admission::keep, "holds-lock", "holds the leader lock"};
    if (listed->role != member_role::replica || listed->state != member_state::running)
        return {
            admission::keep,
            "not-running",
            "does not answer; listed as " + quoted(listed->role_text) + " in state " +
                quoted(listed->state_text)};
    if (listed->noloadbalance)
        return {admission::keep, "noloadbalance", "tagged noloadbalance"};
    // Not asked yet: its own word is milliseconds away.
    const auto* said = s.report_of(m.name);
    if (!said || (!said->word && said->error.empty()))
        return {admission::keep, "unheard", "has not been heard yet"};
    // Its key lives on for a ttl after its Patroni died; a primary that fell silent is no replica.
    if (said->word && said->word->role == member_role::primary)
        return {admission::keep, "silent", "was a primary when last heard"};
    if (s.doubted(m.name) && s.met_lately(said->refusals.since()))
        return {admission::keep, "silent", "does not answer, and has refused clients"};
    if (s.unanswered(m.name) && s.met_lately(said->unanswered))
        return {admission::keep, "silent", "does not answer, neither us nor clients"};
    return {
        admission::open,
        "listed-replica",
        "is listed as a running replica; its REST API does not answer"};
}

// A silent primary may live on as one, beside the holder of the lock: what its readers see is not
// the cluster any more, and they might write.
bool was_overtaken(const scene& s, const member& m)
{
    const auto* r = s.report_of(m.name);
    return r && r->word && r->word->role == member_role::primary &&
           s.lock.what == lock_belief::kind::held && s.lock.holder != m.name;
}

} // namespace

grant read_grant(const scene& s, const topology& now_believed, const member& m)
{
    const auto* listed = s.listing ? s.listing->find(m.name) : nullptr;
    const auto* w = s.word_of(m.name);
    if (!w && was_overtaken(s, m))
        return {
            admission::closed,
            "was-primary",
            "was a primary when last heard, and " + s.lock.holder + " holds the leader lock"};
    auto g = w ? read_by_word(s, now_believed, m, *w) : read_by_listing(s, m, listed);
    // PostgreSQL does not know Patroni's tags.
    if (w && !s.voice_of(m.name)->patroni && g.verdict == admission::open && listed &&
        listed->noloadbalance)
        g = {admission::keep, "noloadbalance", "tagged noloadbalance"};
    return follows_timeline(now_believed, m, g, s.was_open_for_reads(m.name), s.now);
}

} // namespace rolegate::health
