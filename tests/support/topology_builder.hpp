// SPDX-License-Identifier: PostgreSQL
//
// A topology for those who use one: topology_builder().primary("a").replica("b").build()
#pragma once

#include "health/topology.hpp"
#include "tests/support/ports.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace rolegate::support
{

class topology_builder
{
public:
    using admission = health::admission;

    topology_builder()
    {
        using std::chrono_literals::operator""h;
        topology_.cluster = "main";
        topology_.generation = 1;
        topology_.confirmed = health::time_point{1000h};
    }

    // Goes on from a topology that is there.
    explicit topology_builder(health::topology from) : topology_(std::move(from)) {}

    // Open for writes, and the holder of the lock.
    topology_builder& primary(const std::string& name)
    {
        topology_.lock.what = health::lock_belief::kind::held;
        topology_.lock.holder = name;
        return add(name, health::member_role::primary, admission::open, admission::closed);
    }

    // Open for reads.
    topology_builder& replica(const std::string& name)
    {
        return add(name, health::member_role::replica, admission::closed, admission::open);
    }

    topology_builder&
    add(const std::string& name, health::member_role role, admission write, admission read)
    {
        health::member m;
        m.name = name;
        m.host = name + ".example";
        m.port = 5432;
        m.address = "10.0.0." + std::to_string(topology_.members.size() + 1);
        m.role = role;
        m.state = health::member_state::running;
        m.state_text = "running";
        m.timeline = 1;
        m.write = {write, "test", "as the test says"};
        m.read = {read, "test", "as the test says"};
        m.grants = {m.write, m.read};
        topology_.members.push_back(std::move(m));
        std::ranges::sort(topology_.members, {}, &health::member::name);
        return *this;
    }

    [[nodiscard]] health::topology build() const { return topology_; }

private:
    health::topology topology_;
};

} // namespace rolegate::support
