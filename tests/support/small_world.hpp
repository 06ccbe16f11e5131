// SPDX-License-Identifier: PostgreSQL
//
// A cluster of three or four members in which anything may happen at any time, and the sources
// that see it late, frozen or not at all. For randomised tests of decide().
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
};

// What a reporter would read from the DCS.
struct truth
{
    std::string holder;
    bool pause = false;
};

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

    void something_happens()
    {
        switch (dice_.below(12))
        {
        case 0: // released or expired
            if (dice_.one_in(3))
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
        default:
            return dice_.one_in(2) ? toggle(failsafe, 2) : toggle(dcs.pause, 4);
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
            n.patroni = n.reachable = true;
            n.state = member_state::running;
        }
        if (!holder() || holder()->timeline < newest_timeline())
            dcs.holder = std::ranges::max_element(nodes, {}, &node::timeline)->name;
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
    bool failsafe = false;

private:
    void toggle(bool& what, std::size_t rarity)
    {
        if (dice_.one_in(rarity))
            what = !what;
    }

    void take_lock(node& n)
    {
        // In pause any running primary takes it, even a wrong one.
        const bool lawful = n.timeline == newest_timeline() || dcs.pause;
        if (dcs_up && dcs.holder.empty() && n.patroni && lawful)
            dcs.holder = n.name;
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
};

// --- how it is seen ------------------------------------------------------------------------------

// One member's /cluster: its view may be late, or stand still.
struct reporter
{
    std::deque<truth> past; // newest first
    bool frozen = false;
};

class observers
{
public:
    observers(world& w, dice& d) : world_(w), dice_(d), reporters_(w.nodes.size()) {}

    // The past is written after every step of the world.
    void remember()
    {
        for (auto& r : reporters_)
        {
            if (r.frozen && !r.past.empty())
                continue;
            r.past.push_front(world_.dcs);
            if (r.past.size() > 4)
                r.past.pop_back();
        }
    }

    void something_is_seen(evidence& seen, time_point now)
    {
        const auto i = dice_.below(world_.nodes.size());
        if (dice_.one_in(25))
            reporters_[i].frozen = !reporters_[i].frozen;
        switch (dice_.below(3))
        {
        case 0:
            return see_listing(seen, i, dice_.one_in(4) ? dice_.below(4) : 0, now);
        case 1:
            return see_word(seen, world_.nodes[i], false, now);
        default:
            return see_word(seen, world_.nodes[i], true, now);
        }
    }

    void everything_is_seen(evidence& seen, time_point now)
    {
        for (std::size_t i = 0; i < reporters_.size(); ++i)
        {
            reporters_[i].frozen = false;
            reporters_[i].past = {world_.dcs};
            see_listing(seen, i, 0, now);
            see_word(seen, world_.nodes[i], false, now);
        }
    }

private:
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
        report.listing.pause = told.pause;
        report.listing.members.clear();
        for (const auto& listed : world_.nodes)
            report.listing.members.push_back(entry(listed, told.holder));
    }

    static listed_member entry(const node& n, const std::string& holder)
    {
        listed_member m;
        m.name = n.name;
        m.host = n.name;
        m.port = 5432;
        m.holds_lock = n.name == holder;
        m.role = m.holds_lock ? member_role::primary : member_role::replica;
        m.state = n.state;
        m.timeline = n.timeline;
        return m;
    }

    void see_word(evidence& seen, const node& n, bool claim, time_point now)
    {
        auto& r = seen.words[n.name];
        if (!n.patroni || !n.reachable)
        {
            r.error = "silent";
            r.error_seen = now;
            return;
        }
        auto& w = r.word.emplace();
        w.role = n.role;
        w.state = n.state;
        if (!dice_.one_in(20))
            w.timeline = n.timeline;
        w.database_system_identifier = "7";
        w.pause = world_.dcs.pause;
        w.failsafe_mode_is_active = world_.failsafe;
        r.seen = now;
        r.error.clear();
        if (!claim)
            return;
        r.holds_lock = n.name == world_.dcs.holder;
        r.holds_lock_seen = now;
    }

    world& world_;
    dice& dice_;
    std::vector<reporter> reporters_;
};

} // namespace rolegate::support
