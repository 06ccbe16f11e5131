// SPDX-License-Identifier: PostgreSQL
//
// A small replication without Patroni, to which anything may happen, asked by somebody who misses
// answers. Whatever postgres::decide() is told, its invariants hold after every step.
#include "health/postgres/decide.hpp"

#include "tests/support/orders_judge.hpp"
#include "tests/support/small_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string_view>

using namespace rolegate::health;
using namespace rolegate::health::postgres;
using rolegate::support::dice;
using namespace std::chrono_literals;

namespace
{

using rolegate::health::postgres::evidence; // not the one of Patroni's clusters

constexpr std::array keep_rules{
    "writer-silent", "rise", "refuses", "word-too-old", "others-unheard", "handover", "no-address"};

struct node
{
    bool runs = true;
    bool standby = true;
    bool foreign = false; // of another system
    std::uint32_t timeline = 1;
};

struct world
{
    explicit world(dice& d) : dice_(d)
    {
        for (std::size_t i = 2 + d.below(3); i > 0; --i)
            nodes.emplace_back();
        nodes[0].standby = false;
    }

    void something_happens()
    {
        auto& n = nodes[dice_.below(nodes.size())];
        switch (dice_.below(8))
        {
        case 0: // pg_ctl promote
        case 1:
            if (n.runs && n.standby)
            {
                n.standby = false;
                ever_ = std::max(ever_, ++n.timeline);
            }
            return;
        case 2: // back as it was, or killed
        case 3:
        case 4:
            n.runs = !n.runs;
            return;
        case 5: // rebuilt from whoever is there, or started as a primary by mistake
            n.standby = !dice_.one_in(6);
            n.timeline = nodes[dice_.below(nodes.size())].timeline;
            return;
        case 6: // follows the newest
            n.standby = true;
            n.timeline = highest();
            return;
        default:
            n.foreign = dice_.one_in(4);
            return;
        }
    }

    // One primary, promoted last, and everybody behind it.
    void calm_down()
    {
        ++ever_;
        for (auto& n : nodes)
            n = {true, true, false, ever_};
        nodes[dice_.below(nodes.size())].standby = false;
    }

    [[nodiscard]] std::uint32_t highest() const
    {
        return std::ranges::max_element(nodes, {}, &node::timeline)->timeline;
    }

    std::vector<node> nodes;

private:
    dice& dice_;
    std::uint32_t ever_ = 1; // the highest timeline there ever was
};

evidence nothing_seen(const world& w)
{
    evidence seen;
    for (std::size_t i = 0; i < w.nodes.size(); ++i)
    {
        testimony t;
        t.name = std::string(1, static_cast<char>('a' + i));
        t.host = t.name;
        t.port = 5432;
        seen.addresses[t.host] = {"10.0.0." + std::to_string(i + 1)};
        seen.members.push_back(std::move(t));
    }
    return seen;
}

void ask(
    const world& w, evidence& seen, std::size_t i, bool misses, const counts& c, time_point now
)
{
    auto& t = seen.members[i];
    const auto& n = w.nodes[i];
    auto report = t.said;
    report.error = n.runs && !misses ? "" : "no answer";
    if (report.error.empty())
    {
        sql_word word;
        word.in_recovery = n.standby;
        (n.standby ? word.received_timeline : word.timeline) = n.timeline;
        word.lsn = 1000;
        word.database_system_identifier = n.foreign ? "2" : "1";
        report.word = word;
        report.asked = report.seen = now;
    }
    t.take(report, c, now);
}

// One decision, and what it was made of.
struct decision
{
    const evidence& seen;
    const policy& rules;
    const topology& before;
    const topology& after;
    time_point now;
};

class judge
{
public:
    // The sentence that is broken; "" = none.
    std::string verdict(const decision& d)
    {
        for (const auto& broken : {members(d), writer(d), hand_over(d), change(d)})
            if (!broken.empty())
                return broken;
        return "";
    }

private:
    static std::string members(const decision& d)
    {
        if (std::ranges::count_if(d.after.members, [](const member& m) { return open(m.write); }) >
            1)
            return "at most one member is open for writes";
        for (const auto& m : d.after.members)
        {
            const auto& t = *d.seen.find(m.name);
            if ((open(m.write) || open(m.read)) && !d.after.confirmed)
                return "nobody is open before the first confirmed view";
            if (open(m.read) && (!t.said.word || !t.said.word->in_recovery))
                return "who is open for reads was in recovery when last heard";
            if (open(m.read) && t.state != hearing::heard)
                return "a silent member gets no new readers";
            if ((open(m.write) || open(m.read)) && foreign(t, d.after))
                return "nobody of another system is open";
            if (m.write.verdict == admission::keep &&
                std::ranges::find(keep_rules, std::string_view(m.write.rule)) == keep_rules.end())
                return "writers are kept for few reasons";
        }
        return "";
    }

    std::string writer(const decision& d)
    {
        const auto* w = d.after.primary();
        if (!w)
            return "";
        const auto& t = *d.seen.find(w->name);
        if (t.state != hearing::heard || t.said.word->in_recovery)
            return "who is open for writes was a primary when last heard";
        if (t.timeline() < highest_)
            return "no timeline is opened that is lower than one opened before";
        highest_ = t.timeline();
        for (const auto& other : d.seen.members)
        {
            if (other.name != t.name && other.claims() && !foreign(other, d.after) &&
                other.timeline() >= t.timeline())
                return "nobody is open beside a primary of the same or a later timeline";
            const auto* was = d.before.primary();
            if ((!was || was->name != t.name) && other.state == hearing::unheard)
                return "nobody is newly opened while a member is unheard";
        }
        return "";
    }

    std::string hand_over(const decision& d)
    {
        const auto* was = d.before.primary();
        const auto* is = d.after.primary();
        if (was && is && was->name != is->name)
            return "one primary is closed before the next is opened";
        for (const auto& m : d.before.members)
            if (m.write.verdict != admission::closed &&
                d.after.find(m.name)->write.verdict == admission::closed)
                fenced_ = d.now;
        if (is && !was && d.now - fenced_ < handover)
            return "nobody is opened while another one's sessions are being ended";
        return "";
    }

    static std::string change(const decision& d)
    {
        const auto& t = d.after;
        if (t.generation != d.before.generation + (same_belief(d.before, t) ? 0 : 1))
            return "the generation grows by one when the belief changes, and only then";
        if (t.highest_timeline < d.before.highest_timeline)
            return "the highest timeline never falls";
        if (d.before.confirmed && (!t.confirmed || *t.confirmed < *d.before.confirmed))
            return "the confirmation never gets older";
        const auto again = decide(d.seen, d.rules, t, d.now);
        if (again.generation != t.generation || again.cause != t.cause)
            return "the same evidence twice changes nothing; but: " + again.cause;
        return "";
    }

    static bool open(const grant& g) { return g.verdict == admission::open; }

    static bool foreign(const testimony& t, const topology& believed)
    {
        return t.said.word && !believed.system_identifier.empty() &&
               t.said.word->database_system_identifier != believed.system_identifier;
    }

    std::uint32_t highest_ = 0; // of all that were opened, by our own account
    time_point fenced_{};       // likewise
};

std::string picture(const evidence& seen, const topology& t)
{
    std::string text = "cause: " + t.cause;
    for (const auto& m : seen.members)
    {
        text += "\n  " + m.name + (m.state == hearing::heard ? " heard" : " not heard");
        if (m.said.word)
            text += (m.said.word->in_recovery ? ", standby" : ", primary on timeline ") +
                    std::to_string(m.timeline()) + ", system " +
                    m.said.word->database_system_identifier;
        const auto* is = t.find(m.name);
        text += ": write " + std::string(to_string(is->write.verdict)) + " " + is->write.rule +
                ", read " + to_string(is->read.verdict) + " " + is->read.rule;
    }
    return text;
}

} // namespace

TEST_SUITE_BEGIN("health/postgres/decide");

TEST_CASE("whatever happens without Patroni and however it is seen, the invariants hold")
{
    for (std::uint64_t seed = 1; seed <= 3000; ++seed)
    {
        CAPTURE(seed);
        dice d(seed);
        world w(d);
        judge j;
        auto seen = nothing_seen(w);
        policy rules;
        const counts c{
            1 + static_cast<unsigned>(d.below(3)), 1 + static_cast<unsigned>(d.below(3))};
        rules.rise = c.rise;
        topology believed;
        time_point now{1000h};
        for (int step = 0; step < 400; ++step)
        {
            now += std::chrono::milliseconds(d.one_in(40) ? d.below(6000) : d.below(60));
            if (d.one_in(3))
                w.something_happens();
            for (auto sights = d.below(3); sights > 0; --sights)
                ask(w, seen, d.below(w.nodes.size()), d.one_in(5), c, now);
            auto& somebody = seen.members[d.below(w.nodes.size())];
            if (d.one_in(20))
                somebody.refusals.refused(now);
            if (d.one_in(100))
                somebody.forget();

            const auto before = std::move(believed);
            believed = decide(seen, rules, before, now);
            const auto broken = j.verdict({seen, rules, before, believed, now});
            if (!broken.empty())
            {
                CAPTURE(step);
                FAIL_CHECK(broken << "\n" << picture(seen, believed));
                return;
            }
        }
    }
}

TEST_CASE("orders keep members from new sessions, and lifted they leave nothing behind")
{
    using rolegate::config::listener_role;
    for (std::uint64_t seed = 1; seed <= 600; ++seed)
    {
        CAPTURE(seed);
        dice d(seed);
        world w(d);
        auto seen = nothing_seen(w);
        policy rules;
        for (const auto role : {listener_role::primary, listener_role::replica, listener_role::any})
            rules.demands.emplace_back().wants.role = role;
        rules.demands.emplace_back().wants.role = listener_role::replica;
        rules.demands.back().wants.fallback_primary = true;
        const auto without = rules;
        const counts c{2, 2};
        topology ordered;
        topology plain;
        time_point now{1000h};
        for (int step = 0; step < 400; ++step)
        {
            now += std::chrono::milliseconds(d.one_in(40) ? d.below(6000) : d.below(60));
            if (d.one_in(3))
                w.something_happens();
            for (auto sights = d.below(3); sights > 0; --sights)
                ask(w, seen, d.below(w.nodes.size()), d.one_in(5), c, now);
            if (d.one_in(8))
                rolegate::support::order_something(d, rules.orders, plain.members);

            ordered = decide(seen, rules, ordered, now);
            plain = decide(seen, without, plain, now);
            const auto broken =
                rolegate::support::broken_under_orders(ordered, plain, rules.orders, rules.demands);
            if (!broken.empty())
            {
                CAPTURE(step);
                FAIL_CHECK(broken << "\n" << picture(seen, ordered));
                return;
            }
        }
    }
}

TEST_CASE("after any turmoil without a foreign system a healthy replication is believed healthy")
{
    for (std::uint64_t seed = 1; seed <= 300; ++seed)
    {
        CAPTURE(seed);
        dice d(seed);
        world w(d);
        auto seen = nothing_seen(w);
        const policy rules;
        const counts c{2, 2};
        topology believed;
        time_point now{1000h};
        const auto step = [&](bool turmoil)
        {
            now += 100ms;
            if (turmoil)
                w.something_happens();
            for (auto& n : w.nodes)
                n.foreign = false;
            for (std::size_t i = 0; i < w.nodes.size(); ++i)
                if (!turmoil || d.one_in(2))
                    ask(w, seen, i, turmoil && d.one_in(5), c, now);
            believed = decide(seen, rules, believed, now);
        };
        for (int i = 0; i < 100; ++i)
            step(true);
        w.calm_down();
        for (int i = 0; i < 5; ++i)
            step(false);

        CAPTURE(picture(seen, believed));
        for (std::size_t i = 0; i < w.nodes.size(); ++i)
        {
            const auto& m = believed.members[i];
            CAPTURE(m.name);
            CHECK((m.write.verdict == admission::open) == !w.nodes[i].standby);
            CHECK((m.read.verdict == admission::open) == w.nodes[i].standby);
        }
    }
}

TEST_SUITE_END();
