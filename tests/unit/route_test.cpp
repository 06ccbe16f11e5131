// SPDX-License-Identifier: PostgreSQL
#include "proxy/route.hpp"

#include "tests/support/topology_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate::proxy;
using rolegate::config::cluster_settings;
using rolegate::health::admission;
using rolegate::health::member_role;
using rolegate::health::time_point;
using rolegate::health::topology;
using rolegate::support::read_port;
using rolegate::support::topology_builder;
using rolegate::support::write_port;
using namespace std::chrono_literals;

namespace
{

const auto confirmed = *topology_builder().build().confirmed;

// Whom a new session may go to: their names.
std::string where(
    destination to,
    const topology& t,
    const cluster_settings& cluster = {},
    time_point now = confirmed
)
{
    std::vector<const rolegate::health::member*> found;
    find_eligible(to, t, now, cluster, listed_places(cluster), found);
    std::string names;
    for (const auto* m : found)
        names += (names.empty() ? "" : " ") + m->name;
    return names;
}

topology four()
{
    return topology_builder().primary("a").replica("b").replica("c").replica("d").build();
}

} // namespace

TEST_SUITE_BEGIN("proxy/route");

TEST_CASE("a listener's role decides which verdict counts")
{
    const auto t = four();

    CHECK(&grant_for(write_port, t.members[0]) == &t.members[0].grants[0]);
    CHECK(&grant_for(read_port, t.members[0]) == &t.members[0].grants[1]);
    CHECK(grant_for({read_port.role, 2}, t.members[0]).verdict == admission::closed);
    CHECK(where(write_port, t) == "a");
    CHECK(where(read_port, t) == "b c d");
}

TEST_CASE("members that are kept or closed get no new session")
{
    const auto t = topology_builder()
                       .replica("b")
                       .add("c", member_role::replica, admission::closed, admission::keep)
                       .add("d", member_role::replica, admission::closed, admission::closed)
                       .replica("e")
                       .build();

    CHECK(where(read_port, t) == "b e");
    CHECK(where(write_port, t) == "");
    CHECK(where(read_port, topology{}) == "");
}

TEST_CASE("a member that stood in for others is told by its rule")
{
    auto t = four();
    CHECK(relieved_member(read_port, t) == nullptr);
    t.members[0].grants[1] = {admission::keep, "fallback-over", ""};
    CHECK(relieved_member(read_port, t) == &t.members[0]);
    CHECK(relieved_member(write_port, t) == nullptr);
}

TEST_CASE("a backup is used while no other member is open, and then the first one only")
{
    cluster_settings cluster;
    cluster.default_member.backup = true;
    cluster.member_options["b"].backup = false;
    CHECK(where(read_port, four(), cluster) == "b");
    CHECK(where(write_port, four(), cluster) == "a");

    auto t = four();
    t.members[1].grants[1].verdict = admission::keep;
    CHECK(where(read_port, t, cluster) == "c");
    t.members[2].grants[1].verdict = admission::closed;
    CHECK(where(read_port, t, cluster) == "d");
    t.members[3].grants[1].verdict = admission::closed;
    CHECK(where(read_port, t, cluster) == "");
}

TEST_CASE("members have the places of the configured list, the others come behind it")
{
    cluster_settings etcd;
    etcd.tcp.emplace().members = {{"z", 1}, {"10.0.0.1", 5432}, {"::1", 5432}, {"z", 11}};
    const listed_places in_etcd(etcd);
    CHECK(in_etcd.of("z:1") == 0);
    CHECK(in_etcd.of("10.0.0.1:5432") == 1);
    CHECK(in_etcd.of("[::1]:5432") == 2);
    CHECK(in_etcd.of("z:11") == 3);
    for (const char* other : {"", "z", "z:", ":1", "z:111", "10.0.0.1:543", "pg-1", "zz:1"})
    {
        CAPTURE(other);
        CHECK(in_etcd.of(other) == 4);
    }
    cluster_settings plain;
    plain.postgres.emplace().members = {{"b", 1}, {"a", 1}};
    CHECK(listed_places(plain).of("b:1") < listed_places(plain).of("a:1"));
    cluster_settings patroni;
    patroni.patroni.members = {{"b", 1}};
    CHECK(listed_places(patroni).of("b:1") == listed_places(patroni).of("a"));
}

TEST_CASE("the first backup is that which is listed first")
{
    cluster_settings cluster;
    cluster.default_member.backup = true;
    cluster.tcp.emplace().members = {{"c", 1}, {"a", 1}, {"b", 1}};
    auto t = topology_builder()
                 .replica("a:1")
                 .replica("b:1")
                 .replica("c:1")
                 .replica("not listed")
                 .build();
    CHECK(where(read_port, t, cluster) == "c:1");
    t.members[2].grants[1].verdict = admission::keep;
    CHECK(where(read_port, t, cluster) == "a:1");
    t.members[0].grants[1].verdict = admission::closed;
    CHECK(where(read_port, t, cluster) == "b:1");
    t.members[1].grants[1].verdict = admission::closed;
    CHECK(where(read_port, t, cluster) == "not listed");
}

TEST_CASE("one that stands in can be had only for members whose Patroni is silent")
{
    auto t = four();
    t.members[1].grants[1].rule = "listed-replica";
    CHECK_FALSE(has_stand_in(read_port, t, "b")); // nobody would
    t.members[0].grants[1] = {admission::keep, "fallback-over", ""};
    CHECK(has_stand_in(read_port, t, "b"));
    CHECK_FALSE(has_stand_in(read_port, t, "c")); // its Patroni answers
    CHECK_FALSE(has_stand_in(read_port, t, "gone"));
    CHECK_FALSE(has_stand_in(write_port, t, "b"));
}

TEST_CASE("without an open member there is nobody to go to")
{
    const auto kept =
        topology_builder().add("a", member_role::primary, admission::keep, admission::keep).build();

    for (const auto to : {write_port, read_port})
    {
        CHECK(where(to, kept) == "");
        CHECK_FALSE(has_open_member(to, kept, confirmed));
        CHECK(open_members(to, kept, confirmed).empty());
    }
}

TEST_CASE("in a stale view there is nobody to go to, whoever is open in it")
{
    const auto t = four();
    const auto last = confirmed + t.stale_after;

    for (const auto to : {write_port, read_port})
    {
        CHECK(where(to, t, {}, last) != "");
        CHECK(where(to, t, {}, last + 1ns) == "");
        CHECK(has_open_member(to, t, last));
        CHECK_FALSE(has_open_member(to, t, last + 1ns));
        CHECK_FALSE(open_members(to, t, last).empty());
        CHECK(open_members(to, t, last + 1ns).empty());
    }
}

TEST_CASE("the open members are named in their order")
{
    const auto t = four();

    CHECK(open_members(write_port, t, confirmed) == std::vector<std::string>{"a"});
    CHECK(open_members(read_port, t, confirmed) == std::vector<std::string>{"b", "c", "d"});
}

TEST_CASE("a session may stay until its member loses the role")
{
    const struct
    {
        const char* name;
        admission verdict;
        bool stays;
    } rows[] = {
        {"open", admission::open, true},
        {"keep", admission::keep, true},
        {"closed", admission::closed, false},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        const auto t = topology_builder()
                           .add("w", member_role::primary, row.verdict, admission::closed)
                           .add("r", member_role::replica, admission::closed, row.verdict)
                           .build();

        CHECK(may_stay(write_port, t, "w") == row.stays);
        CHECK_FALSE(may_stay(read_port, t, "w"));
        CHECK(may_stay(read_port, t, "r") == row.stays);
        CHECK_FALSE(may_stay(write_port, t, "r"));
    }
}

TEST_CASE("a member that is not known any more keeps its readers and loses its writers")
{
    const auto t = four();

    CHECK(may_stay(read_port, t, "gone"));
    CHECK_FALSE(may_stay(write_port, t, "gone"));
}

TEST_CASE("a stale view ends no session")
{
    auto t = four();
    t.confirmed = confirmed - 24h;

    CHECK(may_stay(write_port, t, "a"));
    CHECK(may_stay(read_port, t, "b"));
}
