// SPDX-License-Identifier: PostgreSQL
//
// Operators' orders in the small world in which anything may happen: they keep members from new
// sessions, and change nothing else.
#include "health/decide.hpp"

#include "tests/support/evidence_builder.hpp"
#include "tests/support/orders_judge.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace rolegate::support;

namespace
{

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t sequences = 60;
#else
constexpr std::uint64_t sequences = 600;
#endif
constexpr int steps = 500;

std::vector<demand> every_kind_of_demand()
{
    using enum rolegate::config::listener_role;
    auto all = write_and_read();
    all.push_back(demand_of(replica, "fallback"));
    all.back().wants.fallback_primary = true;
    all.push_back(demand_of(replica, "near"));
    all.back().wants.lag = {1000, 500};
    all.push_back(demand_of(any, "any"));
    all.push_back(demand_of(leader, "leader"));
    all.push_back(demand_of(sync, "sync"));
    return all;
}

} // namespace

TEST_SUITE_BEGIN("health/decide");

TEST_CASE("orders keep members from new sessions, and lifted they leave nothing behind")
{
    for (std::uint64_t seed = 1; seed <= sequences; ++seed)
    {
        CAPTURE(seed);
        dice d(seed);
        world w(d);
        const bool with_dcs = seed % 4 != 0;
        observers o(w, d, with_dcs, seed % 3 != 0);
        auto seen = o.nothing_seen();
        policy rules;
        rules.fence_without_dcs = with_dcs && d.one_in(3);
        rules.demands = every_kind_of_demand();
        auto without = rules;
        topology ordered;
        topology plain;
        auto now = story_begins;
        w.at(now);
        for (int step = 0; step < steps; ++step)
        {
            now += std::chrono::milliseconds(d.one_in(40) ? d.below(6000) : d.below(200));
            w.at(now);
            if (d.one_in(2))
                w.something_happens();
            o.remember(now);
            for (auto sights = d.below(4); sights > 0; --sights)
                o.something_is_seen(seen, now);
            if (d.one_in(8))
                order_something(d, rules.orders, plain.members);

            ordered = decide(seen, rules, ordered, now);
            plain = decide(seen, without, plain, now);
            const auto broken = broken_under_orders(ordered, plain, rules.orders, rules.demands);
            if (!broken.empty())
            {
                CAPTURE(step);
                FAIL_CHECK(broken << "\n" << ordered.cause << "\n" << plain.cause);
                return;
            }
        }
    }
}

TEST_SUITE_END();
