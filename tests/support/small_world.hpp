// SPDX-License-Identifier: PostgreSQL
//
// A cluster of three or four members in which anything may happen at any time, and the sources
// that see it late, frozen or not at all: REST, a DCS and SQL. For randomised tests of decide().
#pragma once

#include "health/evidence.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <vector>

namespace rolegate::support
{

using health::evidence;
using health::listed_member;
using health::member_role;
using health::member_state;
using health::time_point;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// Deterministic on every platform: std's distributions are not.
class dice
{
public:
    explicit dice(std::uint64_t seed) : random_(seed) {}

    std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
    bool one_in(std::size_t n) { return below(n) == 0; }

private:
    std::mt19937_64 random_;
};

// --- what is true --------------------------------------------------------------------------------

struct node
{
    std::string name;
    member_role role = member_role::replica;
    member_state state = member_state::running;
    std::uint32_t timeline = 1;
    bool patroni = true;   // its Patroni runs
    bool reachable = true; // and we get answers from it
    bool sql = true;       // and from its PostgreSQL
};

// What a reporter would read from the DCS.
struct truth
{
    std::string holder;
    bool pause = false;
    bool failsafe_configured = false;
    time_point lease_ends{}; // when there is a holder
};

inline constexpr auto world_ttl = 10s;

class world
{
public:
    explicit world(dice& d) : dice_(d)
    {
        const std::size_t size = 3 + d.below(2);
        for (std::size_t i = 0; i < size; ++i)
            nodes.push_back({"m" + std::to_string(i + 1)});
        nodes[0].role = member_role::primary;
        dcs.holder = nodes[0].name;
    }

    node& any() { return nodes[dice_.below(nodes.size())]; }

    node* holder()
    {
        const auto it = std::ranges::find(nodes, dcs.holder, &node::name);
        return it == nodes.end() ? nullptr : &*it;
    }

    // A holder whose Patroni lives renews its lease; of another's it runs out.
    void at(time_point t)
    {
        if (now_ == time_point{})
            dcs.lease_ends = t + world_ttl;
        now_ = t;
        const auto* h = holder();
        if (!h || !dcs_up)
            return;
        if (h->patroni && dice_.one_in(3))
            dcs.lease_ends = t + world_ttl;
        else if (dcs.lease_ends <= t)
            dcs.holder.clear();
    }

    void something_happens()
    {
        switch (dice_.below(13))
        {
        case 0: // released, as in a switchover
            if (holder() && holder()->patroni && dcs_up && dice_.one_in(3))
                dcs.holder.clear();
            return;
        case 1:
        case 2:
            return take_lock(any());
        case 3:
        case 4:
            return holder() ? promote(*holder()) : void();
        case 5:
            return demote(any());
        case 6:
            return crash(any());
        case 7:
            return recover(any());
        case 8: // kill -9 of Patroni: PostgreSQL lives on
            return toggle(any().patroni, 4);
        case 9:
            return toggle(any().reachable, 3);
        case 10:
            return toggle(dcs_up, 4);
        case 11:
            return toggle(any().sql, 3);
        default:
            return change_settings();
        }
    }

    // All is well again, and stays so.
    void calm_down()
    {
        dcs_up = true;
        failsafe = false;
        dcs.pause = false;
        for (auto& n : nodes)
        {
            n.patroni = n.reachable = n.sql = true;
            n.state = member_state::running;
        }
        if (!holder() || holder()->timeline < newest_timeline())
            dcs.holder = std::ranges::max_element(nodes, {}, &node::timeline)->name;
        dcs.lease_ends = now_ + 60s;
        promote(*holder());
        for (auto& n : nodes)
            demote(n);
    }

    [[nodiscard]] std::uint32_t newest_timeline() const
    {
        return std::ranges::max_element(nodes, {}, &node::timeline)->timeline;
    }

    std::vector<node> nodes;
    truth dcs;
    bool dcs_up = true;
    bool failsafe = false; // active

private:
    void toggle(bool& what, std::size_t rarity)
    {
        if (dice_.one_in(rarity))
            what = !what;
    }

    void change_settings()
    {
        switch (dice_.below(3))
        {
        case 0:
            return toggle(failsafe, 2);
        case 1:
            return toggle(dcs.pause, 4);
        default:
            return toggle(dcs.failsafe_configured, 3);
        }
    }

    void take_lock(node& n)
    {
        // In pause any running primary takes it, even a wrong one.
        const bool lawful = n.timeline == newest_timeline() || dcs.pause;
        if (!dcs_up || !dcs.holder.empty() || !n.patroni || !lawful)
            return;
        dcs.holder = n.name;
        dcs.lease_ends = now_ + world_ttl;
    }

    void promote(node& n)
    {
        if (!n.patroni || n.role == member_role::primary)
            return;
        n.timeline = newest_timeline() + 1;
        n.role = member_role::primary;
        n.state = member_state::running;
    }

    // A Patroni that sees another's lock makes a replica of its PostgreSQL, which follows.
    void demote(node& n)
    {
        const auto* leader = holder();
        if (!n.patroni || !leader || leader == &n)
            return;
        n.role = member_role::replica;
        n.timeline = std::max(n.timeline, leader->timeline);
    }

    void crash(node& n)
    {
        constexpr member_state bad[] = {
            member_state::unknown,
            member_state::starting,
            member_state::stopping,
            member_state::stopped,
            member_state::crashed,
        };
        n.state = bad[dice_.below(std::size(bad))];
    }

    void recover(node& n) { n.state = member_state::running; }

    dice& dice_;
    time_point now_{};
};

// --- how it is seen ------------------------------------------------------------------------------

// The world at one moment.
struct moment
{
    time_point at{};
    std::uint64_t revision = 0;
    truth dcs;
    bool dcs_up = true;
    bool failsafe = false;
    std::vector<node> nodes;
};

// One member's /cluster: its view may be late, or stand still.
struct reporter
{
    std::deque<truth> past; // newest first
    bool frozen = false;
};

class observers
{
public:
    observers(world& w, dice& d, bool with_dcs, bool with_sql)
        : world_(w), dice_(d), with_dcs_(with_dcs), with_sql_(with_sql), reporters_(w.nodes.size())
    {
    }

    // The past is written after every step of the world.
    void remember(time_point now)
    {
        for (auto& r : reporters_)
        {
            if (r.frozen && !r.past.empty())
                continue;
            r.past.push_front(world_.dcs);
            if (r.past.size() > 4)
                r.past.pop_back();
        }
        past_.push_front(
            {now, ++revision_, world_.dcs, world_.dcs_up, world_.failsafe, world_.nodes}
        );
        while (past_.size() > 1 && now - past_.back().at > 2s)
            past_.pop_back();
    }

    void something_is_seen(evidence& seen, time_point now)
    {
        const auto i = dice_.below(world_.nodes.size());
        if (dice_.one_in(25))
            reporters_[i].frozen = !reporters_[i].frozen;
        switch (dice_.below(7))
        {
        case 0:
            return see_listing(seen, i, dice_.one_in(4) ? dice_.below(4) : 0, now);
        case 1:
            return see_word(seen, i, false, lately(), now);
        case 2:
            return see_word(seen, i, true, lately(), now);
        case 3:
            return see_refusal(seen, world_.nodes[i], now);
        case 4:
            return see_sql(seen, i, lately(), now);
        default:
            return see_dcs(seen, now);
        }
    }

    void everything_is_seen(evidence& seen, time_point now)
    {
        hangs_ = cut_off_ = false;
        for (std::size_t i = 0; i < reporters_.size(); ++i)
        {
            reporters_[i].frozen = false;
            reporters_[i].past = {world_.dcs};
            see_listing(seen, i, 0, now);
            see_word(seen, i, false, past_.front(), now);
            see_sql(seen, i, past_.front(), now);
        }
        if (with_dcs_)
            take_keys(*seen.dcs, past_.front(), now);
    }

    [[nodiscard]] evidence nothing_seen() const
    {
        evidence seen;
        for (const auto& n : world_.nodes)
            seen.addresses[n.name] = {"10.0.0." + n.name.substr(1)};
        if (with_dcs_)
        {
            seen.dcs.emplace();
            seen.dcs->source = "etcd3";
            seen.dcs->error = "not connected yet";
        }
        return seen;
    }

private:
    [[nodiscard]] const moment& lately()
    {
        return past_[dice_.one_in(3) ? dice_.below(past_.size()) : 0];
    }

    // --- REST

    void see_listing(evidence& seen, std::size_t i, std::size_t late, time_point now)
    {
        const auto& n = world_.nodes[i];
        const auto& r = reporters_[i];
        if (!n.patroni || !n.reachable || (!world_.dcs_up && !r.frozen) || r.past.empty())
            return;
        const auto& told = r.past[std::min(late, r.past.size() - 1)];

        auto& report = seen.reports[n.name];
        const auto* was = report.listing.leader();
        const bool same = report.seen != time_point{} && (was ? was->name : "") == told.holder;
        report.since = same ? report.since : now;
        report.seen = now;
        report.listing = listing_of(told, world_.nodes);
    }

    [[nodiscard]] static health::cluster_listing
    listing_of(const truth& told, const std::vector<node>& nodes)
    {
        health::cluster_listing listing;
        listing.pause = told.pause;
        for (const auto& n : nodes)
        {
            auto& m = listing.members.emplace_back();
            m.name = n.name;
            m.host = n.name;
            m.port = 5432;
            m.holds_lock = n.name == told.holder;
            m.role = m.holds_lock ? member_role::primary : member_role::replica;
            m.state = n.state;
            m.timeline = n.timeline;
        }
        return listing;
    }

    // Asked at that moment, answered now; never asked before the last answer.
    void see_word(evidence& seen, std::size_t i, bool claim, const moment& asked, time_point now)
    {
        const auto& n = asked.nodes[i];
        auto& r = seen.words[n.name];
        if (asked.at < r.asked)
            return;
        if (!n.patroni || !n.reachable)
        {
            r.error = "silent";
            return;
        }
        auto& w = r.word.emplace();
        w.role = n.role;
        w.state = n.state;
        if (!dice_.one_in(20))
            w.timeline = n.timeline;
        if (!dice_.one_in(5)) // replicas are ahead of the primary as well, and up to 2000 behind
            w.lsn = static_cast<std::int64_t>(
                n.role == member_role::primary ? 10'000 : 8'000 + dice_.below(2'500)
            );
        w.database_system_identifier = "7";
        w.pause = asked.dcs.pause;
        w.failsafe_mode_is_active = asked.failsafe;
        r.asked = asked.at;
        r.seen = now;
        r.error.clear();
        r.refusals.spoke(r.asked, says_running_primary(w), now);
        if (!claim)
            return;
        r.holds_lock = n.name == asked.dcs.holder;
        r.holds_lock_seen = now;
    }

    // --- clients

    void see_refusal(evidence& seen, const node& n, time_point now)
    {
        const auto said = seen.words.find(n.name);
        const bool well = n.role == member_role::primary && n.state == member_state::running;
        if (said != seen.words.end() && (!well || dice_.one_in(10)))
            said->second.refusals.refused(now);
    }

    // --- SQL: answers whether its Patroni runs or not

    void see_sql(evidence& seen, std::size_t i, const moment& asked, time_point now)
    {
        const auto& n = asked.nodes[i];
        if (!with_sql_ || (seen.sql.contains(n.name) && asked.at < seen.sql[n.name].asked))
            return;
        auto& r = seen.sql[n.name];
        if (!n.sql || n.state != member_state::running)
        {
            r.error = "refused";
            return;
        }
        auto& w = r.word.emplace();
        w.in_recovery = n.role != member_role::primary;
        if (!w.in_recovery && !dice_.one_in(20))
            w.timeline = n.timeline;
        if (!dice_.one_in(5))
            w.database_system_identifier = "7";
        r.asked = asked.at;
        r.seen = now;
        r.error.clear();
    }

    // --- the DCS

    void see_dcs(evidence& seen, time_point now)
    {
        if (!with_dcs_)
            return;
        auto& d = *seen.dcs;
        if (dice_.one_in(20))
            cut_off_ = !cut_off_;
        if (dice_.one_in(20))
            hangs_ = !hangs_;
        if (cut_off_ || !world_.dcs_up)
        {
            d.connected = false;
            d.error = "timed out";
            return;
        }
        if (dice_.one_in(100))
            return empty(d);
        if (!d.connected) // a snapshot
            return take_keys(d, past_.front(), now);
        if (!hangs_ && dice_.one_in(2)) // an event
            return take_keys(d, past_.front(), now, true);
        // A re-read: what was true when it was asked, unless something newer is known.
        const auto& asked = lately();
        if (asked.dcs_up && asked.revision >= d.revision)
            take_keys(d, asked, now);
    }

    void take_keys(health::dcs_report& d, const moment& m, time_point now, bool event = false)
    {
        const auto* leader = d.listing.leader();
        const std::string was = leader ? leader->name : "";
        const bool same = d.seen != time_point{} && was == m.dcs.holder;
        // An event that is none: nothing comes over the watch.
        if (event && same)
            return;
        d.since = same ? d.since : now;
        d.seen = std::max(d.seen, m.at);
        d.revision = m.revision;
        d.listing = listing_of(m.dcs, m.nodes);
        d.failsafe_mode = m.dcs.failsafe_configured;
        d.endpoint = "x:2379";
        d.connected = true;
        d.error.clear();
        d.lease_ends.reset();
        // A change of the key comes without the end of its lease.
        if (!event && !m.dcs.holder.empty() && !dice_.one_in(10))
            d.lease_ends = m.dcs.lease_ends;
    }

    static void empty(health::dcs_report& d)
    {
        d.seen = d.since = {};
        d.listing = {};
        d.lease_ends.reset();
        d.revision = 0;
        d.connected = false;
        d.error = "no keys";
    }

    world& world_;
    dice& dice_;
    bool with_dcs_;
    bool with_sql_;
    std::vector<reporter> reporters_;
    std::deque<moment> past_; // newest first, two seconds
    std::uint64_t revision_ = 0;
    bool cut_off_ = false; // we cannot reach the DCS
    bool hangs_ = false;   // the watch brings nothing
};

} // namespace rolegate::support
