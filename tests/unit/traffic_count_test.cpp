// SPDX-License-Identifier: PostgreSQL
#include "proxy/traffic_count.hpp"

#include <doctest/doctest.h>

using namespace rolegate::proxy;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("proxy/traffic_count");

TEST_CASE("peaks of members, of the listener and of its queue are kept")
{
    const rate::time_point now{1000h};
    traffic_count c;
    c.came(now);
    c.came(now);
    c.chose("pg-1", 1, 1, 0, now);
    c.chose("pg-2", 1, 2, 3, now + 10ms);
    c.chose("pg-1", 1, 1, 0, now + 20ms); // others have gone meanwhile
    c.held(4, 2);
    c.held(1, 0);

    const auto t = c.so_far();
    CHECK(t.came == 2);
    CHECK(t.clients.most() == 2);
    CHECK(t.all.chosen == 3);
    CHECK(t.all.most_sessions == 2);
    CHECK(t.most_held == 4);
    CHECK(t.most_here == 6);
    const auto& member = t.members.at("pg-1");
    CHECK(member.chosen == 2);
    CHECK(member.most_sessions == 1);
    CHECK(member.last == now + 20ms);
    CHECK(member.sessions.most() == 2);
}

TEST_SUITE_END();
