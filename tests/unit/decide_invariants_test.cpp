// SPDX-License-Identifier: PostgreSQL
//
// A small world in which anything may happen at any time, seen through sources that are late, old
// or silent. Whatever decide() is told, its invariants hold after every step.
#include "health/decide.hpp"

#include "proxy/route.hpp"
#include "tests/support/evidence_builder.hpp"
#include "tests/support/small_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace rolegate::health;
using namespace rolegate::support;
using rolegate::config::listener_role;
using rolegate::proxy::route;
using kind = lock_belief::kind;

namespace
{

constexpr std::uint64_t sequences = 410;
constexpr int steps = 500;

// --- what must hold ------------------------------------------------------------------------------

std::uint32_t timeline_said(const evidence& seen, const std::string& name)
{
    const auto it = seen.words.find(name);
    return it == seen.words.end() || !it->second.word ? 0 : it->second.word->timeline.value_or(0);
}

// Also by what the others list.
std::uint32_t timeline_known(const evidence& seen, const std::string& name)
{
    auto timeline = timeline_said(seen, name);
    for (const auto& [source, r] : seen.reports)
        if (const auto* listed = r.listing.find(name))
            timeline = std::max(timeline, listed->timeline.value_or(0));
    return timeline;
}

class judge
{
public:
    // The sentence that is broken; "" = none.
    std::string verdict(
        const evidence& seen,
        const policy& rules,
        const topology& before,
        const topology& t,
        time_point now
    )
    {
        if (auto broken = writers(seen, rules, before, t, now); !broken.empty())
            return broken;
        if (auto broken = change(seen, rules, before, t, now); !broken.empty())
            return broken;
        return age(t);
    }

private:
    std::string writers(
        const evidence& seen,
        const policy& rules,
        const topology& before,
        const topology& t,
        time_point now
    )
    {
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
        const auto* w = t.primary();
        if (!w)
            return "";
        if (auto broken = lawful(*w, seen, rules, before, t, now); !broken.empty())
            return broken;
        return newest_truth(*w, seen, rules, now);
    }

    std::string lawful(
        const member& w,
        const evidence& seen,
        const policy& rules,
        const topology& before,
        const topology& t,
        time_point now
    )
    {
        const std::string_view rule = w.write.rule;
        if (t.lock.what == kind::none && rule != "failsafe" && rule != "paused")
            return "without a lock only failsafe mode and pause leave a primary open";

        const auto report = seen.words.find(w.name);
        if (report == seen.words.end() || !report->second.word)
            return "a member that never spoke is not open for writes";
        const auto& r = report->second;
        if (r.word->timeline && *r.word->timeline < highest_)
            return "no timeline is opened that is lower than one opened before";
        highest_ = std::max(highest_, r.word->timeline.value_or(0));
        if (r.word->role != member_role::primary || r.word->state != member_state::running)
            return "who is open for writes was a running primary when last heard";

        if (rule == "failsafe" && !r.word->failsafe_mode_is_active)
            return "failsafe mode is what the primary itself says";
        if (rule == "paused" && !r.word->pause && !t.pause)
            return "somebody says that the cluster is paused";

        const auto* was = before.primary();
        const bool newly = !was || was->name != w.name;
        if (rule == "paused" && newly)
            return "pause opens nobody";
        const bool heard = r.answers() && now - r.seen <= rules.fresh_for;
        if (!heard && (newly || rule != "degraded"))
            return "a silent member is not newly opened";
        if (newly && t.lock.what == kind::held && r.seen < t.lock.since)
            return "a word from before the lock opens nobody";
        const bool claims =
            r.holds_lock.value_or(false) && now - r.holds_lock_seen <= rules.fresh_for;
        if (t.lock.what == kind::unknown && !claims)
            return "with the lock unknown only a fresh claim leaves a primary open";
        return "";
    }

    // Reporters may contradict each other; the claim that came up last must not be ignored, unless
    // a promotion has overtaken it.
    static std::string
    newest_truth(const member& w, const evidence& seen, const policy& rules, time_point now)
    {
        const auto backs = [&w](const lock_report& r)
        { return r.listing.leader() && r.listing.leader()->name == w.name; };
        const lock_report* newest = nullptr;
        for (const auto& [source, r] : seen.reports)
        {
            if (now - r.seen > rules.fresh_for)
                continue;
            // Where two came up in the same moment, nobody can say which is the newer.
            if (!newest || r.since > newest->since || (r.since == newest->since && backs(r)))
                newest = &r;
        }
        if (!newest || backs(*newest))
            return "";
        const auto* holder = newest->listing.leader();
        const std::string_view rule = w.write.rule;
        if (!holder && rule != "failsafe" && rule != "paused")
            return "a member is closed when the newest listing says that the lock is free";
        if (holder && timeline_said(seen, holder->name) >= timeline_known(seen, w.name))
            return "a member is closed when the newest listing says that another holds the lock";
        return "";
    }

    static std::string change(
        const evidence& seen,
        const policy& rules,
        const topology& before,
        const topology& t,
        time_point now
    )
    {
        if (t.generation != before.generation + (same_belief(before, t) ? 0 : 1))
            return "the generation grows by one when the belief changes, and only then";
        if (t.highest_timeline < before.highest_timeline)
            return "the highest timeline never falls";
        if (before.confirmed && (!t.confirmed || *t.confirmed < *before.confirmed))
            return "the confirmation never gets older";
        const auto again = decide(seen, rules, t, now);
        if (again.generation != t.generation || again.cause != t.cause)
            return "the same evidence twice changes nothing; but: " + again.cause;
        return "";
    }

    static std::string age(const topology& t)
    {
        if (!t.confirmed)
            return "";
        const auto too_late = *t.confirmed + t.stale_after + 1ms;
        for (const auto to : {listener_role::primary, listener_role::replica})
            if (route(to, t, too_late, 0).member)
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
    std::string text = "cause: " + t.cause;
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
                    std::to_string(r.word->timeline.value_or(0)) + ", " + ago(r.seen) + " ms ago" +
                    (r.error.empty() ? "" : ", silent now");
    for (const auto& m : t.members)
        text += "\n  " + m.name + ": write " + text_of(m.write) + ", read " + text_of(m.read);
    return text;
}

evidence nothing_but_addresses(const world& w)
{
    evidence seen;
    for (const auto& n : w.nodes)
        seen.addresses[n.name] = "10.0.0." + n.name.substr(1);
    return seen;
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
        observers o(w, d);
        judge j;
        auto seen = nothing_but_addresses(w);
        const policy rules{"main", 5s, 8s};
        topology believed;
        auto now = story_begins;
        for (auto events = d.below(50); events > 0; --events)
            w.something_happens();

        for (int step = 0; step < steps; ++step)
        {
            now += std::chrono::milliseconds(d.one_in(40) ? d.below(6000) : d.below(200));
            if (d.one_in(2))
                w.something_happens();
            o.remember();
            for (auto sights = d.below(3); sights > 0; --sights)
                o.something_is_seen(seen, now);

            const auto before = std::move(believed);
            believed = decide(seen, rules, before, now);

            const auto broken = j.verdict(seen, rules, before, believed, now);
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
        observers o(w, d);
        auto seen = nothing_but_addresses(w);
        const policy rules{"main", 5s, 8s};
        topology believed;
        auto now = story_begins;
        for (int step = 0; step < 100; ++step)
        {
            now += std::chrono::milliseconds(d.below(200));
            w.something_happens();
            o.remember();
            o.something_is_seen(seen, now);
            believed = decide(seen, rules, believed, now);
        }

        w.calm_down();
        // Old reports of reporters that stand still count for fresh_for at most.
        for (int poll = 0; poll < 7; ++poll)
        {
            now += 1s;
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
