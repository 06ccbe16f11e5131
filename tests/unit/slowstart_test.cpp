// SPDX-License-Identifier: PostgreSQL
#include "proxy/slowstart.hpp"

#include "tests/support/topology_builder.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace rolegate::proxy;
using rolegate::config::cluster_settings;
using rolegate::health::admission;
using rolegate::health::member_role;
using rolegate::health::member_state;
using rolegate::support::read_port;
using rolegate::support::topology_builder;
using rolegate::support::write_port;
using namespace std::chrono_literals;

namespace
{

const slowstart::time_point noon{500h};

// Member "a" is another open replica; "b" is the one that tests are about.
struct world
{
    explicit world(std::chrono::milliseconds length, unsigned weight = 100)
    {
        cluster.default_member.weight = weight;
        cluster.default_member.slowstart = length;
        cluster.default_member.maxconn = 50;
    }

    void
    see(admission b,
        slowstart::time_point now,
        bool heard = true,
        member_state state = member_state::running)
    {
        auto t = topology_builder()
                     .replica("a")
                     .add("b", member_role::replica, admission::closed, b)
                     .build();
        t.generation = ++generation;
        for (auto& m : t.members)
        {
            if (heard)
                m.word_seen = now;
            if (m.name == "b")
                m.state = state;
        }
        t.confirmed = now;
        s.adopt(t, now);
    }

    unsigned weight_of_b(slowstart::time_point now) const
    {
        return shown_weight(s.weight("b", now));
    }

    cluster_settings cluster;
    slowstart s{read_port, cluster};
    std::uint64_t generation = 0;
};

} // namespace

TEST_SUITE_BEGIN("proxy/slowstart");

TEST_CASE("H-201: the weight rises as HAProxy's does")
{
    std::vector<unsigned> shown;
    for (int t = 0; t <= 10; ++t)
        shown.push_back(shown_weight(effective_weight(100, 10s, std::chrono::seconds(t))));
    // Measured on HAProxy 2.6: weight 100, slowstart 10s.
    CHECK(shown == std::vector<unsigned>{7, 13, 25, 32, 44, 57, 63, 75, 82, 94, 100});

    for (const int weight : {1, 2, 5, 100, 256})
        for (const int length : {1, 2, 7, 10, 60, 3600})
            for (int t = 0; t <= length + 1; ++t)
            {
                const int sixteenths = t < length ? (16 * t + length) / length : 16;
                const int expected = (weight * sixteenths + 15) / 16;
                const auto got = effective_weight(
                    static_cast<unsigned>(weight),
                    std::chrono::seconds(length),
                    std::chrono::seconds(t)
                );
                if (got != static_cast<unsigned>(weight * sixteenths) ||
                    shown_weight(got) != static_cast<unsigned>(expected))
                    FAIL_CHECK("weight " << weight << " of " << length << " s at " << t << " s");
            }
    CHECK(effective_weight(5, 0s, 0s) == 80);
}

TEST_CASE("H-202: so does maxconn, and it is never 0")
{
    std::vector<std::size_t> shown;
    for (int t = 0; t <= 10; t += 2)
        shown.push_back(effective_maxconn(50, 10s, std::chrono::seconds(t)));
    CHECK(shown == std::vector<std::size_t>{1, 10, 20, 30, 40, 50});
    CHECK(effective_maxconn(1, 10s, 9s) == 1);
    CHECK(effective_maxconn(3, 7s, 3s) == 1); // 42 % of 3
    CHECK(effective_maxconn(8, 0s, 0s) == 8);
}

TEST_CASE("a member that opens after it was shut starts slowly, a second at a time")
{
    world w(10s);
    w.see(admission::open, noon);
    CHECK(w.weight_of_b(noon) == 100);
    w.see(admission::keep, noon + 1s, true, member_state::stopped);
    w.see(admission::open, noon + 60s);

    CHECK(w.weight_of_b(noon + 60s) == 7);
    CHECK(w.weight_of_b(noon + 60999ms) == 7);
    CHECK(w.weight_of_b(noon + 61s) == 13);
    CHECK(w.s.maxconn("b", noon + 60s) == 1U);
    CHECK(w.s.maxconn("b", noon + 65s) == 25U);
    CHECK(w.s.next_step(noon + 60s) == noon + 61s);
    CHECK(w.s.next_step(noon + 69500ms) == noon + 70s);
    CHECK(w.s.weight("a", noon + 60s) == 100 * weight_scale);

    CHECK(w.weight_of_b(noon + 70s) == 100);
    CHECK(w.s.maxconn("b", noon + 70s) == 50U);
    CHECK(w.s.next_step(noon + 70s) == slowstart::time_point::max());
}

TEST_CASE("a member that runs and only gets no new sessions for a while stays warm")
{
    world w(10s);
    w.see(admission::open, noon);
    w.see(admission::keep, noon + 1s);
    w.see(admission::open, noon + 2s);
    CHECK(w.weight_of_b(noon + 2s) == 100);
    CHECK(w.s.maxconn("b", noon + 2s) == 50U);

    // Nor does it gain by it: a slow start goes on.
    w.see(admission::closed, noon + 3s);
    w.see(admission::open, noon + 60s);
    w.see(admission::keep, noon + 61s);
    w.see(admission::open, noon + 62s);
    CHECK(w.weight_of_b(noon + 62s) == 25);
}

TEST_CASE("while it stays open it is not started again; when it shuts once more it is")
{
    world w(10s);
    w.see(admission::open, noon);
    w.see(admission::closed, noon + 1s);
    w.see(admission::open, noon + 2s);
    w.see(admission::open, noon + 6s);
    CHECK(w.weight_of_b(noon + 7s) == 57);

    w.see(admission::closed, noon + 8s);
    CHECK(w.weight_of_b(noon + 8s) == 100); // nobody is led to it
    w.see(admission::open, noon + 30s);
    CHECK(w.weight_of_b(noon + 31s) == 13);
}

TEST_CASE("nobody starts slowly with the process")
{
    world at_once(10s);
    at_once.see(admission::open, noon);
    CHECK(at_once.weight_of_b(noon) == 100);

    world heard_later(10s);
    heard_later.see(admission::closed, noon, false);
    heard_later.see(admission::open, noon + 10ms);
    CHECK(heard_later.weight_of_b(noon + 10ms) == 100);

    slowstart s(write_port, heard_later.cluster);
    auto t = topology_builder().add("a", member_role::primary, admission::keep, admission::closed);
    s.adopt(t.build(), noon);
    auto opened = topology_builder().primary("a").build();
    opened.generation = 2;
    s.adopt(opened, noon + 10ms);
    CHECK(s.weight("a", noon + 10ms) == 100 * weight_scale);
}

TEST_CASE("a replica that is promoted starts slowly as a primary")
{
    world w(10s);
    slowstart s(write_port, w.cluster);
    auto before = topology_builder().primary("a").replica("b").build();
    for (auto& m : before.members)
        m.word_seen = noon;
    before.confirmed = noon;
    s.adopt(before, noon);
    auto after = topology_builder().replica("a").primary("b").build();
    after.generation = 2;
    after.confirmed = noon;
    s.adopt(after, noon);

    CHECK(shown_weight(s.weight("b", noon + 1s)) == 13);
}

TEST_CASE("the same topology again, or an older one, changes nothing")
{
    world w(10s);
    w.see(admission::open, noon);
    w.see(admission::closed, noon + 1s);
    w.see(admission::open, noon + 2s);
    w.generation = 1;
    w.see(admission::closed, noon + 3s);
    w.see(admission::open, noon + 4s);

    CHECK(w.weight_of_b(noon + 4s) == 25);
}

TEST_CASE("without slowstart, and for a member that is not known, all is there at once")
{
    world w(0s, 3);
    w.see(admission::open, noon);
    w.see(admission::closed, noon + 1s);
    w.see(admission::open, noon + 2s);

    CHECK(w.s.weight("b", noon + 2s) == 48);
    CHECK(w.s.maxconn("b", noon + 2s) == 50U);
    CHECK(w.s.next_step(noon + 2s) == slowstart::time_point::max());
    CHECK(w.s.weight("nobody", noon) == 48);
    w.cluster.default_member.maxconn.reset();
    CHECK_FALSE(w.s.maxconn("b", noon).has_value());
}

TEST_CASE("parts of a second count as a whole one, as in HAProxy")
{
    world w(1500ms);
    w.see(admission::open, noon);
    w.see(admission::closed, noon + 1s);
    w.see(admission::open, noon + 2s);

    CHECK(w.weight_of_b(noon + 2s) == 7);
    CHECK(w.weight_of_b(noon + 3s) == 57); // (16 * 1 + 2) / 2 sixteenths
    CHECK(w.weight_of_b(noon + 4s) == 100);
}

TEST_SUITE_END();
