// SPDX-License-Identifier: PostgreSQL
//
// What a monitor is told while it follows: other demands, and what is known already.
#include "health/inherit.hpp"
#include "health/monitor.hpp"

#include <utility>

namespace rolegate::health
{

void monitor::set_demands(std::vector<demand> demands)
{
    if (demands == policy_.demands)
        return;
    believed_ = std::make_shared<const topology>(redemanded(*believed_, policy_.demands, demands));
    policy_.demands = std::move(demands);
    published_ = {};
    believe(clock::now());
}

void monitor::inherit(const topology& known)
{
    believed_ = std::make_shared<const topology>(inherit_and_judge(
        *believed_,
        known,
        [this](const topology& t) { return decide(seen_, policy_, t, clock::now()); }
    ));
}

} // namespace rolegate::health
