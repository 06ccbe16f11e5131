// SPDX-License-Identifier: PostgreSQL
#include "proxy/door_changes.hpp"

#include "tests/support/topology_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using enum health::admission;
using support::topology_builder;

namespace
{

health::topology with_listeners(topology_builder b)
{
    auto t = b.build();
    t.listeners = {"write", "read"};
    return t;
}

// "write a open", "write up"
std::vector<std::string> told(const health::topology& before, const health::topology& after)
{
    const auto changes = proxy::changes_at_doors(before, after);
    std::vector<std::string> out;
    for (const auto& m : changes.members)
        out.push_back(m.listener + " " + m.member + " " + health::to_string(m.now.verdict));
    for (const auto& l : changes.listeners)
        out.push_back(l.listener + (l.open ? " up" : " down"));
    return out;
}

using words = std::vector<std::string>;

} // namespace

TEST_SUITE_BEGIN("proxy/door_changes");

TEST_CASE("at the beginning those that are open come up, and nobody goes down")
{
    const auto first = with_listeners(topology_builder().primary("a").replica("b"));

    CHECK(
        told(health::topology{}, first) ==
        words{"write a open", "read b open", "write up", "read up"}
    );
    CHECK(told(first, first).empty());
}

TEST_CASE("of verdicts that are for nobody nothing is told")
{
    auto first = with_listeners(topology_builder().primary("a").replica("b"));
    first.listeners[0].clear();
    CHECK(told(health::topology{}, first) == words{"read b open", "read up"});
}

TEST_CASE("a switchover, step by step")
{
    using health::member_role;
    const auto before = with_listeners(topology_builder().primary("a").replica("b"));
    const auto nobody = with_listeners(
        topology_builder().add("a", member_role::primary, closed, closed).replica("b")
    );
    const auto after = with_listeners(topology_builder().primary("b").replica("a"));

    CHECK(told(before, nobody) == words{"write a closed", "write down"});
    CHECK(told(nobody, after) == words{"write b open", "read a open", "read b closed", "write up"});
    // In one step the listener as a whole has not been away.
    CHECK(
        told(before, after) ==
        words{"write a closed", "write b open", "read a open", "read b closed"}
    );
}

TEST_CASE("a member that only keeps its sessions is down, and down again when it loses them")
{
    using health::member_role;
    const auto good = with_listeners(topology_builder().replica("b").replica("c"));
    const auto kept =
        with_listeners(topology_builder().add("b", member_role::replica, closed, keep).replica("c")
        );
    const auto shut = with_listeners(
        topology_builder().add("b", member_role::replica, closed, closed).replica("c")
    );

    CHECK(told(good, kept) == words{"read b keep"});
    CHECK(told(kept, shut) == words{"read b closed"});
    CHECK(told(shut, kept).empty());
    CHECK(told(kept, good) == words{"read b open"});
}

TEST_CASE("a member that has only been listed is not down when its own word shuts it out")
{
    using health::member_role;
    const auto read_of_a = [](const char* rule, health::admission verdict)
    {
        auto t = with_listeners(topology_builder().add("a", member_role::primary, open, verdict));
        t.members[0].grants[1].rule = rule;
        return t;
    };
    const auto shut = read_of_a("is-primary", closed);

    CHECK(told(read_of_a("unheard", keep), shut).empty());
    CHECK(told(read_of_a("not-running", keep), shut) == words{"read a closed"});
}

TEST_CASE("a member that is forgotten is down, if it was anything to anybody")
{
    const auto before = with_listeners(topology_builder().primary("a").replica("b"));
    const auto after = with_listeners(topology_builder().primary("a"));

    CHECK(told(before, after) == words{"read b closed", "read down"});
    CHECK(proxy::changes_at_doors(before, after).members[0].now.reason == "is no longer a member");
}
