// SPDX-License-Identifier: PostgreSQL
//
// A small world in which anything may happen at any time, seen through sources that are late, old
// or silent. Whatever decide() is told, its invariants hold after every step. A program of its
// own: it takes seconds.
#include "health/decide.hpp"

#include "proxy/route.hpp"
#include "tests/support/evidence_builder.hpp"
#include "tests/support/small_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace rolegate::health;
using namespace rolegate::support;
using rolegate::proxy::has_open_member;
using kind = lock_belief::kind;

namespace
{

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t sequences = 200;
#else
constexpr std::uint64_t sequences = 2400;
#endif
constexpr int steps = 500;

// --- what must hold ------------------------------------------------------------------------------

// One decision, and what it was made of.
struct decision
{
    const evidence& seen;
    const policy& rules;
    const topology& before;
    const topology& after;
    time_point now;

    [[nodiscard]] const word_report* said(const std::string& name) const
    {
        const auto it = seen.words.find(name);
        return it == seen.words.end() || !it->second.word ? nullptr : &it->second;
    }

    // Patroni answers, and did so lately.
    [[nodiscard]] bool patroni_speaks(const std::string& name) const
    {
        const auto* r = said(name);
        return r && r->answers() && now - r->seen <= rules.word_fresh_for;
    }

    // PostgreSQL's own word, if it counts: newer than Patroni's, or Patroni is silent.
    [[nodiscard]] const sql_report* sql(const std::string& name) const
    {
        const auto it = seen.sql.find(name);
        if (it == seen.sql.end() || !it->second.word || !it->second.error.empty() ||
            now - it->second.seen > rules.word_fresh_for)
            return nullptr;
        if (patroni_speaks(name) && it->second.asked <= said(name)->asked)
            return nullptr;
        return &it->second;
    }

    // A holder whose last known lease has ended and whose Patroni is silent needs fresh news.
    [[nodiscard]] std::chrono::milliseconds
    counts_for(const listed_member* holder, std::chrono::milliseconds fresh_for) const
    {
        const auto& d = seen.dcs;
        const auto* known = d ? d->listing.leader() : nullptr;
        if (!holder || !known || known->name != holder->name || !d->lease_ends ||
            now < *d->lease_ends || patroni_answers(holder->name))
            return fresh_for;
        return 250ms;
    }

    [[nodiscard]] bool patroni_answers(const std::string& name) const
    {
        const auto it = seen.words.find(name);
        return it != seen.words.end() && it->second.answers();
    }

    [[nodiscard]] bool dcs_rules() const
    {
        const auto& d = seen.dcs;
        return d && d->connected && now - d->seen <= rules.fresh_for;
    }

    [[nodiscard]] bool fenced() const { return seen.dcs && rules.fence_without_dcs; }
};

// What was said last of a member's timeline; 0 = nothing.
std::uint32_t timeline_said(const decision& d, const std::string& name)
{
    if (const auto* sql = d.sql(name); sql && sql->word->timeline)
        return *sql->word->timeline;
    const auto* r = d.said(name);
    return r ? r->word->timeline.value_or(0) : 0;
}

// By Patroni's word, and by what the others list.
std::uint32_t timeline_known(const decision& d, const std::string& name)
{
    const auto* said = d.said(name);
    auto timeline = said ? said->word->timeline.value_or(0) : 0;
    const auto consider = [&](const cluster_listing& listing)
    {
        if (const auto* listed = listing.find(name))
            timeline = std::max(timeline, listed->timeline.value_or(0));
    };
    for (const auto& [source, r] : d.seen.reports)
        consider(r.listing);
    if (d.seen.dcs)
        consider(d.seen.dcs->listing);
    return timeline;
}

class judge
{
public:
    // The sentence that is broken; "" = none.
    std::string verdict(const decision& d)
    {
        for (const auto& broken :
             {members(d), writer(d), kept(d), grants(d), change(d), age(d.after)})
            if (!broken.empty())
                return broken;
        return "";
    }

private:
    static std::string members(const decision& d)
    {
        const auto& t = d.after;
        const auto open = std::ranges::count_if(
            t.members, [](const member& m) { return m.write.verdict == admission::open; }
        );
        if (open > 1)
            return "at most one member is open for writes";
        for (const auto& m : t.members)
        {
            const bool write = m.write.verdict == admission::open;
            const bool read = m.read.verdict == admission::open;
            if ((write || read) && !t.confirmed)
                return "nobody is open before the first confirmed view";
            if ((write || read) && m.address.empty())
                return "an open member has an address";
            if (write && read)
                return "no member is open for writes and for reads";
            if (m.write.verdict != admission::closed && t.lock.what == kind::held &&
                t.lock.holder != m.name)
                return "a member is closed while another holds the lock";
        }
        return "";
    }

    std::string writer(const decision& d)
    {
        const auto* w = d.after.primary();
        if (!w)
            return "";
        for (const auto& broken : {history(*w, d), voice(*w, d), lock(*w, d), newest_truth(*w, d)})
            if (!broken.empty())
                return broken;
        return "";
    }

    std::string history(const member& w, const decision& d)
    {
        const auto timeline = timeline_said(d, w.name);
        if (timeline != 0 && timeline < highest_)
            return "no timeline is opened that is lower than one opened before";
        highest_ = std::max(highest_, timeline);
        return "";
    }

    // The last that was open, and nothing has been said against it: no loss of the role.
    static bool kept_blindly(const member& w, const decision& d)
    {
        return d.before.last_writer == w.name;
    }

    // What it says of itself.
    static std::string voice(const member& w, const decision& d)
    {
        const auto* was = d.before.primary();
        const bool newly = (!was || was->name != w.name) && !kept_blindly(w, d);
        const bool held = d.after.lock.what == kind::held;
        const std::string_view rule = w.write.rule;
        const auto* r = d.said(w.name);
        const auto* sql = d.sql(w.name);
        const bool patroni = d.patroni_speaks(w.name);

        if (sql ? sql->word->in_recovery : !r || !says_running_primary(*r->word))
            return "who is open for writes was a running primary when last heard";
        if (!sql && !patroni && (newly || rule != "degraded"))
            return "a silent member is not newly opened";
        if (rule == "lock-and-word" && !patroni)
            return "who is open without a word of Patroni's is open as degraded";
        if (rule == "degraded" && patroni)
            return "nobody is degraded whose Patroni answers";

        const auto asked = sql ? sql->asked : r->asked;
        const auto heard = sql ? sql->seen : r->seen;
        if (held && r && r->refusals.since() != time_point{} && asked <= r->refusals.since())
            return "who has refused clients is open by a newer word only";
        if (held && newly && heard < d.after.lock.since)
            return "a word from before the lock opens nobody";
        return "";
    }

    // What lets it be open.
    static std::string lock(const member& w, const decision& d)
    {
        const auto& t = d.after;
        const std::string_view rule = w.write.rule;
        const auto* was = d.before.primary();
        const auto* r = d.said(w.name);
        const bool exempt = rule == "failsafe" || rule == "paused";

        if (t.lock.what == kind::none && !exempt)
            return "without a lock only failsafe mode and pause leave a primary open";
        if (exempt && t.lock.what != kind::none)
            return "failsafe mode and pause are asked for without a lock only";
        if (rule == "failsafe" && (!d.patroni_speaks(w.name) || !r->word->failsafe_mode_is_active))
            return "failsafe mode is what a Patroni says that answers";
        if (rule == "failsafe" && r->asked < t.lock.since)
            return "failsafe mode of before the lock went tells nothing about now";
        if (rule == "paused" && !(r && r->word->pause) && !t.pause)
            return "somebody says that the cluster is paused";
        if (rule == "paused" && (!was || was->name != w.name) && !kept_blindly(w, d))
            return "pause opens nobody";

        if (t.lock.what == kind::unknown)
        {
            const bool claims = r && r->holds_lock.value_or(false) &&
                                d.now - r->holds_lock_seen <= d.rules.fresh_for;
            if (!claims)
                return "with the lock unknown only a fresh claim leaves a primary open";
            if (d.fenced())
                return "on_dcs_loss: fence believes no claim";
        }
        if (t.lock.by_lease)
        {
            const auto& dcs = d.seen.dcs;
            if (!dcs || !dcs->lease_ends || *dcs->lease_ends <= d.now || d.dcs_rules())
                return "a lease counts until it ends, and while the DCS is lost";
            if (!dcs->listing.leader() || dcs->listing.leader()->name != w.name)
                return "a lease counts for its holder";
        }
        return "";
    }

    // The DCS alone while it is connected. Else reporters may contradict each other; the claim that
    // came up last must not be ignored, unless a promotion has overtaken it.
    static std::string newest_truth(const member& w, const decision& d)
    {
        const std::string_view rule = w.write.rule;
        const bool exempt = rule == "failsafe" || rule == "paused";
        const auto& dcs = d.seen.dcs;
        if (d.dcs_rules())
        {
            const auto* holder = dcs->listing.leader();
            if (!holder && !exempt)
                return "nobody is open when a connected DCS says that the lock is free";
            if (holder && holder->name != w.name)
                return "nobody is open but the holder that a connected DCS names";
            return "";
        }

        struct claim
        {
            const listed_member* holder;
            time_point since;
        };
        std::vector<claim> claims;
        if (!d.fenced())
            for (const auto& [source, r] : d.seen.reports)
                if (d.now - r.seen <= d.counts_for(r.listing.leader(), d.rules.fresh_for))
                    claims.push_back({r.listing.leader(), r.since});
        if (dcs && dcs->seen != time_point{} &&
            d.now - dcs->seen <= d.counts_for(dcs->listing.leader(), d.rules.dcs_fresh_for))
            claims.push_back({dcs->listing.leader(), dcs->since});
        const auto backs = [&w](const claim& c) { return c.holder && c.holder->name == w.name; };
        const claim* newest = nullptr;
        // Where two came up in the same moment, nobody can say which is the newer.
        for (const auto& c : claims)
            if (!newest || c.since > newest->since || (c.since == newest->since && backs(c)))
                newest = &c;
        if (!newest)
            return d.fenced() && !d.after.lock.by_lease ? "fenced, nobody is open without a lease"
                                                        : "";
        if (backs(*newest))
            return "";
        if (!newest->holder)
            return exempt ? ""
                          : "a member is closed when the newest claim is that the lock is free";
        const auto* said = d.said(newest->holder->name);
        if ((said ? said->word->timeline.value_or(0) : 0) >= timeline_known(d, w.name))
            return "a member is closed when the newest claim is that another holds the lock";
        return "";
    }

    // Sessions that go on without new ones.
    static std::string kept(const decision& d)
    {
        const auto& t = d.after;
        const auto& dcs = d.seen.dcs;
        for (const auto& m : t.members)
        {
            if (m.write.verdict != admission::keep ||
                std::string_view(m.write.rule) == "no-address")
                continue;
            if (t.lock.what == kind::none)
            {
                const auto* r = d.said(m.name);
                const bool asked =
                    r && r->answers() && d.now - t.lock.since < 500ms &&
                    ((dcs && dcs->failsafe_mode) || r->word->failsafe_mode_is_active);
                const bool doubted = std::string_view(m.write.rule) == "refuses";
                if (!doubted && (std::string_view(m.write.rule) != "failsafe-asked" || !asked))
                    return "without a lock sessions stay only while failsafe mode is asked for";
            }
            if (t.lock.what != kind::unknown)
                continue;
            if (d.fenced())
                return "on_dcs_loss: fence keeps no session when the lease has ended";
            // In pause Patroni lets PostgreSQL be.
            const bool paused = d.before.pause || (d.said(m.name) && d.said(m.name)->word->pause);
            // With its own later word it would be open, had it not refused clients since.
            const auto* said = d.said(m.name);
            const bool own_word = std::string_view(m.write.rule) == "refuses" && said &&
                                  said->answers() && dcs && said->seen > dcs->seen;
            if (!paused && !own_word && dcs && dcs->lease_ends && *dcs->lease_ends <= d.now &&
                (!d.before.confirmed || *d.before.confirmed <= dcs->seen))
                return "no session stays when the lease has ended and nobody has confirmed it";
        }
        return "";
    }

    // What listeners make of it: see some_policy().
    static std::string grants(const decision& d)
    {
        const auto& t = d.after;
        const auto is_open = [](const grant& g) { return g.verdict == admission::open; };
        const auto stands_in = [](const member& m)
        { return std::string_view(m.grants[2].rule) == "fallback"; };
        const bool own = std::ranges::any_of(
            t.members, [&](const member& m) { return is_open(m.grants[2]) && !stands_in(m); }
        );
        for (const auto& m : t.members)
        {
            if (m.grants.size() != d.rules.demands.size())
                return "every listener has a verdict on every member";
            if (m.grants[0] != m.write || m.grants[1] != m.read)
                return "a listener that asks for nothing more than the role gets its verdict";
            if (stands_in(m) && (!is_open(m.write) || own))
                return "only an open primary stands in, and for nobody";
            if (is_open(m.grants[3]) && (m.lag_watches[3].lagging || !m.lag_bytes))
                return "a replica that lags, or may lag, gets no session";
            for (const auto& g : m.grants)
                if (is_open(g) && !is_open(m.write) && !is_open(m.read))
                    return "nobody is open who is neither a primary nor a replica";
        }
        return "";
    }

    static std::string change(const decision& d)
    {
        const auto& before = d.before;
        const auto& t = d.after;
        if (t.generation != before.generation + (same_belief(before, t) ? 0 : 1))
            return "the generation grows by one when the belief changes, and only then";
        if (t.highest_timeline < before.highest_timeline)
            return "the highest timeline never falls";
        if (before.confirmed && (!t.confirmed || *t.confirmed < *before.confirmed))
            return "the confirmation never gets older";
        const auto again = decide(d.seen, d.rules, t, d.now);
        if (again.generation != t.generation || again.cause != t.cause)
            return "the same evidence twice changes nothing; but: " + again.cause;
        return "";
    }

    static std::string age(const topology& t)
    {
        if (!t.confirmed)
            return "";
        const auto too_late = *t.confirmed + t.stale_after + 1ms;
        for (const auto to : {write_port, read_port})
            if (has_open_member(to, t, too_late))
                return "a stale view routes nobody";
        return "";
    }

    std::uint32_t highest_ = 0; // of all that were opened, by our own account
};

std::string picture(const evidence& seen, const topology& t, time_point now)
{
    const auto ago = [now](time_point p) {
        return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(now - p).count()
        );
    };
    std::string text = "cause: " + t.cause + "\n  lock " + std::to_string(int(t.lock.what)) + " " +
                       t.lock.holder + " since " + ago(t.lock.since);
    if (const auto& d = seen.dcs)
        text += "\n  DCS " + std::string(d->connected ? "connected" : "lost") + ", names " +
                (d->listing.leader() ? d->listing.leader()->name : "nobody") + " since " +
                ago(d->since) + " ms, seen " + ago(d->seen) + " ms ago, lease " +
                (d->lease_ends ? "ended " + ago(*d->lease_ends) + " ms ago" : "unknown") +
                (d->failsafe_mode ? ", failsafe configured" : "");
    for (const auto& [source, r] : seen.reports)
    {
        const auto* holder = r.listing.leader();
        text += "\n  " + source + " lists " + (holder ? holder->name : "no holder") + " since " +
                ago(r.since) + " ms, seen " + ago(r.seen) + " ms ago";
    }
    for (const auto& [name, r] : seen.words)
        if (r.word)
            text += "\n  " + name + " says " + to_string(r.word->role) + ", " +
                    to_string(r.word->state) + ", timeline " +
                    std::to_string(r.word->timeline.value_or(0)) + ", asked " + ago(r.asked) +
                    ", seen " + ago(r.seen) + " ms ago" +
                    (r.word->failsafe_mode_is_active ? ", failsafe" : "") +
                    (r.error.empty() ? "" : ", silent now");
    for (const auto& [name, r] : seen.sql)
        if (r.word)
            text += "\n  " + name + " says over SQL " +
                    (r.word->in_recovery ? "in recovery" : "primary") + ", timeline " +
                    std::to_string(r.word->timeline.value_or(0)) + ", asked " + ago(r.asked) +
                    ", seen " + ago(r.seen) + " ms ago" + (r.error.empty() ? "" : ", silent now");
    for (const auto& m : t.members)
        text += "\n  " + m.name + ": write " + text_of(m.write) + ", read " + text_of(m.read);
    return text;
}

policy some_policy(dice& d, bool with_dcs)
{
    policy rules;
    rules.word_fresh_for = d.one_in(2) ? 8s : 15s;
    rules.fence_without_dcs = with_dcs && d.one_in(3);
    rules.demands = write_and_read();
    rules.demands.push_back(demand_of(rolegate::config::listener_role::replica, "fallback"));
    rules.demands.back().wants.fallback_primary = true;
    rules.demands.push_back(demand_of(rolegate::config::listener_role::replica, "near"));
    rules.demands.back().wants.lag = {1000, 500};
    return rules;
}

} // namespace

TEST_SUITE_BEGIN("health/decide");

TEST_CASE("whatever happens and however it is seen, the invariants of decide hold")
{
    for (std::uint64_t seed = 1; seed <= sequences; ++seed)
    {
        CAPTURE(seed);
        dice d(seed);
        world w(d);
        const bool with_dcs = seed % 4 != 0;
        observers o(w, d, with_dcs, seed % 3 != 0);
        judge j;
        auto seen = o.nothing_seen();
        const auto rules = some_policy(d, with_dcs);
        topology believed;
        auto now = story_begins;
        w.at(now);
        for (auto events = d.below(50); events > 0; --events)
            w.something_happens();

        for (int step = 0; step < steps; ++step)
        {
            now += std::chrono::milliseconds(d.one_in(40) ? d.below(6000) : d.below(200));
            w.at(now);
            if (d.one_in(2))
                w.something_happens();
            o.remember(now);
            for (auto sights = d.below(4); sights > 0; --sights)
                o.something_is_seen(seen, now);

            const auto before = std::move(believed);
            believed = decide(seen, rules, before, now);

            const auto broken = j.verdict({seen, rules, before, believed, now});
            if (!broken.empty())
            {
                CAPTURE(step);
                FAIL_CHECK(broken << "\n" << picture(seen, believed, now));
                return;
            }
        }
    }
}

TEST_CASE("after any turmoil a healthy cluster is believed to be healthy")
{
    for (std::uint64_t seed = 1; seed <= 300; ++seed)
    {
        CAPTURE(seed);
        dice d(seed);
        world w(d);
        const bool with_dcs = seed % 3 != 0;
        observers o(w, d, with_dcs, seed % 2 != 0);
        auto seen = o.nothing_seen();
        const auto rules = some_policy(d, with_dcs);
        topology believed;
        auto now = story_begins;
        for (int step = 0; step < 100; ++step)
        {
            now += std::chrono::milliseconds(d.below(200));
            w.at(now);
            w.something_happens();
            o.remember(now);
            o.something_is_seen(seen, now);
            believed = decide(seen, rules, believed, now);
        }

        w.calm_down();
        // Old reports of reporters that stand still count for fresh_for at most.
        for (int poll = 0; poll < 7; ++poll)
        {
            now += 1s;
            o.remember(now);
            o.everything_is_seen(seen, now);
            believed = decide(seen, rules, believed, now);
        }

        CAPTURE(picture(seen, believed, now));
        for (const auto& n : w.nodes)
        {
            CAPTURE(n.name);
            const bool leads = n.name == w.dcs.holder;
            CHECK(
                write_of(believed, n.name) ==
                (leads ? "open lock-and-word" : "closed lock-elsewhere")
            );
            CHECK(
                read_of(believed, n.name) == (leads ? "closed is-primary" : "open running-replica")
            );
        }
    }
}
