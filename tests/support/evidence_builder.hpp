// SPDX-License-Identifier: PostgreSQL
//
// A cluster as the sources see it, told step by step: every step states only what differs.
//
//   story s;                                    // a, b and c, listed and resolved
//   s.settle();                                 // a holds the lock and is open for writes
//   s.after(50ms).lock("b").decide();
//   CHECK(write_of(s.believed, "a") == "closed lock-elsewhere");
//
//   s.settle_with_dcs();                        // the same, by the DCS's word
//   s.after(50ms).dcs("b").believe().after(50ms).sql("b", false, 2).decide();
#pragma once

#include "health/decide.hpp"
#include "tests/support/ports.hpp"

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace rolegate::support
{

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// Far from the epoch of the clock, which stands for "never".
inline constexpr health::time_point story_begins{1000h};

inline const std::string our_system = "7000000000000000001";

// --- words -------------------------------------------------------------------------------------

[[nodiscard]] inline health::member_word
word(health::member_role role, health::member_state state, std::uint32_t timeline = 1)
{
    health::member_word w;
    w.role = role;
    w.role_text = to_string(role);
    w.state = state;
    w.state_text = to_string(state);
    w.timeline = timeline;
    w.database_system_identifier = our_system;
    w.patroni_version = "3.0.2";
    return w;
}

[[nodiscard]] inline health::member_word primary(std::uint32_t timeline = 1)
{
    return word(health::member_role::primary, health::member_state::running, timeline);
}

[[nodiscard]] inline health::member_word replica(std::uint32_t timeline = 1)
{
    return word(health::member_role::replica, health::member_state::running, timeline);
}

[[nodiscard]] inline health::member_word failsafe_primary(std::uint32_t timeline = 1)
{
    auto w = primary(timeline);
    w.failsafe_mode_is_active = true;
    return w;
}

[[nodiscard]] inline health::member_word paused_primary(std::uint32_t timeline = 1)
{
    auto w = primary(timeline);
    w.pause = true;
    return w;
}

// --- the story ---------------------------------------------------------------------------------

class story
{
public:
    explicit story(std::initializer_list<const char*> names = {"a", "b", "c"})
    {
        rules.cluster = "main";
        rules.demands = write_and_read();
        for (const char* name : names)
            join(name);
    }

    // A new member, as /cluster will list it from now on.
    story& join(const std::string& name)
    {
        health::listed_member m;
        m.name = name;
        m.host = name + ".example";
        m.port = 5432;
        m.api_url = "http://" + name + ".example:8008/patroni";
        m.state = health::member_state::running;
        m.state_text = "running";
        m.timeline = 1;
        next_listing.members.push_back(std::move(m));
        seen.addresses[name + ".example"] = {"10.0.0." + std::to_string(++addresses_)};
        return *this;
    }

    story& leave(const std::string& name)
    {
        std::erase_if(next_listing.members, [&](const auto& m) { return m.name == name; });
        return *this;
    }

    // How the coming listings show this member.
    [[nodiscard]] health::listed_member& listed(const std::string& name)
    {
        for (auto& m : next_listing.members)
            if (m.name == name)
                return m;
        throw std::invalid_argument("no such member: " + name);
    }

    story& after(std::chrono::milliseconds passed)
    {
        now += passed;
        return *this;
    }

    // `reporter` answers /cluster and names this holder; "" = the leader key is absent.
    story& lock(const std::string& holder, const std::string& reporter = "a:8008")
    {
        auto& r = seen.reports[reporter];
        const auto* was = r.listing.leader();
        const bool same = r.seen != health::time_point{} && (was ? was->name : "") == holder;
        r.since = same ? r.since : now;
        r.seen = now;
        r.listing = listing_with(holder);
        return *this;
    }

    story& no_lock(const std::string& reporter = "a:8008") { return lock("", reporter); }

    // The DCS is connected and names this holder, who has most of its ttl left. A holder that is
    // no member has no key of its own.
    story& dcs(const std::string& holder)
    {
        if (!seen.dcs)
            seen.dcs.emplace();
        auto& d = *seen.dcs;
        const auto* was = d.listing.leader();
        const bool same = d.seen != health::time_point{} && (was ? was->name : "") == holder;
        d.source = "etcd3";
        d.endpoint = "etcd-1:2379";
        d.since = same ? d.since : now;
        d.seen = now;
        d.listing = listing_with(holder);
        if (!holder.empty() && !d.listing.leader())
        {
            auto& m = d.listing.members.emplace_back();
            m.name = holder;
            m.holds_lock = true;
            m.role = health::member_role::primary;
        }
        ++d.revision;
        d.lease_ends.reset();
        if (!holder.empty())
            d.lease_ends = now + 20s;
        d.connected = true;
        d.error.clear();
        return *this;
    }

    story& dcs_says_nobody() { return dcs(""); }

    // It cannot be reached from now on; what it said last stays known.
    story& dcs_lost_at(const std::string& error = "etcd-1:2379: timed out")
    {
        seen.dcs->connected = false;
        seen.dcs->error = error;
        return *this;
    }

    // The holder's lease has this much left.
    story& lease(std::chrono::milliseconds left)
    {
        seen.dcs->lease_ends = now + left;
        return *this;
    }

    story& failsafe_configured()
    {
        seen.dcs->failsafe_mode = true;
        return *this;
    }

    // PostgreSQL says this of itself, asked just now.
    story& sql(const std::string& name, bool in_recovery, std::uint32_t timeline = 1)
    {
        health::sql_word w;
        w.in_recovery = in_recovery;
        if (!in_recovery) // a standby's is not asked for
            w.timeline = timeline;
        w.database_system_identifier = our_system;
        return sql(name, std::move(w));
    }

    story& sql(const std::string& name, health::sql_word w)
    {
        auto& r = seen.sql[name];
        r.word = std::move(w);
        r.asked = r.seen = now;
        r.error.clear();
        return *this;
    }

    story& sql_silent(const std::string& name, const std::string& error = "Connection refused")
    {
        seen.sql[name].error = error;
        return *this;
    }

    story& says(const std::string& name, health::member_word w)
    {
        auto& r = seen.words[name];
        r.refusals.spoke(now, says_running_primary(w), now);
        r.word = std::move(w);
        r.asked = now;
        r.seen = now;
        r.error.clear();
        return *this;
    }

    // A client got no answer from this member in time.
    story& leaves_waiting(const std::string& name)
    {
        seen.words[name].unanswered = now;
        return *this;
    }

    // Clients are refused by this member.
    story& refuses(const std::string& name)
    {
        seen.words[name].refusals.refused(now);
        return *this;
    }

    // The same, asked over /primary: status 200 means that it holds the lock.
    story& claims(const std::string& name, health::member_word w, bool holds_lock = true)
    {
        says(name, std::move(w));
        seen.words[name].holds_lock = holds_lock;
        seen.words[name].holds_lock_seen = now;
        return *this;
    }

    story& silent(const std::string& name, const std::string& error = "Connection refused")
    {
        seen.words[name].error = error;
        return *this;
    }

    const health::topology& decide()
    {
        believed = health::decide(seen, rules, believed, now);
        return believed;
    }

    // In the middle of a sentence.
    story& believe()
    {
        decide();
        return *this;
    }

    // `holder` has the lock and is open for writes on this timeline, all others are replicas.
    story& settle(const std::string& holder = "a", std::uint32_t timeline = 1)
    {
        for (auto& m : next_listing.members)
        {
            m.timeline = timeline;
            says(m.name, m.name == holder ? primary(timeline) : replica(timeline));
        }
        lock(holder);
        decide();
        return after(1s);
    }

    // The same, with a DCS that is connected and no listings over REST, as it is day by day.
    story& settle_with_dcs(const std::string& holder = "a", std::uint32_t timeline = 1)
    {
        for (auto& m : next_listing.members)
        {
            m.timeline = timeline;
            says(m.name, m.name == holder ? primary(timeline) : replica(timeline));
        }
        dcs(holder);
        decide();
        return after(1s);
    }

    // Nobody can read the DCS any more: the listings are too old to count.
    story& dcs_lost() { return after(rules.fresh_for + 1ms); }

    health::evidence seen;
    health::policy rules;
    health::topology believed;
    health::time_point now = story_begins;
    health::cluster_listing next_listing;
    bool leading_standby_cluster = false; // so do the coming listings show the holder

private:
    [[nodiscard]] health::cluster_listing listing_with(const std::string& holder) const
    {
        auto listing = next_listing;
        for (auto& m : listing.members)
        {
            m.holds_lock = m.name == holder;
            m.role = health::member_role::replica;
            if (m.role_text.empty() || m.holds_lock)
                m.role_text = "replica";
            if (!m.holds_lock)
                continue;
            m.role = leading_standby_cluster ? health::member_role::standby_leader
                                             : health::member_role::primary;
            m.role_text = leading_standby_cluster ? "standby_leader" : "leader";
        }
        return listing;
    }

    int addresses_ = 0;
};

// --- verdicts, short enough for a table ----------------------------------------------------------

[[nodiscard]] inline std::string text_of(const health::grant& g)
{
    return std::string(to_string(g.verdict)) + " " + g.rule;
}

[[nodiscard]] inline std::string write_of(const health::topology& t, std::string_view name)
{
    const auto* m = t.find(name);
    return m ? text_of(m->write) : "not a member";
}

[[nodiscard]] inline std::string read_of(const health::topology& t, std::string_view name)
{
    const auto* m = t.find(name);
    return m ? text_of(m->read) : "not a member";
}

// By the listener's index.
[[nodiscard]] inline std::string
grant_text(const health::topology& t, std::string_view name, std::size_t listener)
{
    const auto* m = t.find(name);
    return m && listener < m->grants.size() ? text_of(m->grants[listener]) : "not a member";
}

} // namespace rolegate::support
