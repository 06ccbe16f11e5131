// SPDX-License-Identifier: PostgreSQL
#include "config/diff.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

using namespace rolegate::config;
using namespace std::chrono_literals;

namespace
{

settings two_listeners()
{
    settings s;
    auto& cluster = s.clusters.emplace_back();
    cluster.name = "main";
    cluster.patroni.members = {{"10.0.0.1", 8008}, {"10.0.0.2", 8008}};
    auto& write = s.listeners.emplace_back();
    write.name = "write";
    write.bind = {{"*", 5432}};
    write.cluster = "main";
    auto& read = s.listeners.emplace_back();
    read.name = "read";
    read.bind = {{"*", 5433}};
    read.cluster = "main";
    read.role = listener_role::replica;
    return s;
}

dcs_settings some_dcs()
{
    dcs_settings d;
    d.scope = "demo";
    d.hosts = {{"10.0.0.9", 2379}};
    return d;
}

std::vector<std::string> texts(const settings& before, const settings& after)
{
    std::vector<std::string> all;
    for (const auto& c : diff(before, after))
        all.push_back(c.text + (c.needs_restart ? " (restart)" : ""));
    return all;
}

struct row
{
    std::function<void(settings&)> change;
    std::vector<std::string> told;
};

} // namespace

TEST_SUITE_BEGIN("config/diff");

TEST_CASE("every change is a line in the words of the file")
{
    const row rows[] = {
        {[](settings&) {}, {}},
        {[](settings& s) { s.listeners[1].balance = balance_algorithm::leastconn; },
         {"listener read: balance roundrobin -> leastconn"}},
        {[](settings& s) { s.listeners[0].timeouts.client = 5min; },
         {"listener write: timeouts.client 0 -> 5m"}},
        {[](settings& s) { s.listeners[0].maxconn = 10; },
         {"listener write: maxconn any number -> 10"}},
        {[](settings& s) {
             s.listeners[1].tags = {{"zone", "a"}};
         },
         {"listener read: tags.zone (none) -> \"a\""}},
        {[](settings& s) { s.listeners[1].role = listener_role::primary; },
         {"listener read: role replica -> primary"}},
        {[](settings& s) { s.listeners.pop_back(); }, {"listener read: removed"}},
        {[](settings& s)
         {
             s.clusters.push_back(s.clusters.front());
             s.clusters.back().name = "other";
         },
         {"cluster other: added"}},
        {[](settings& s) { s.clusters[0].patroni.interval = 2s; },
         {"cluster main: patroni.interval 1s -> 2s"}},
        {[](settings& s) { s.clusters[0].default_member.weight = 3; },
         {"cluster main: default_member.weight 1 -> 3"}},
        {[](settings& s) { s.clusters[0].member_options["a:5432"].weight = 2; },
         {"cluster main: member_options.\"a:5432\".weight (none) -> 2"}},
        {[](settings& s) { s.level = log_level::debug; }, {"log: level info -> debug"}},
        {[](settings& s) { s.maxconn = 100; }, {"maxconn what file descriptors allow -> 100"}},
        {[](settings& s) { s.shutdown_timeout = 5s; }, {"shutdown_timeout 30s -> 5s"}},
        {[](settings& s) { s.workers = 3; }, {"workers auto -> 3 (restart)"}},
        {[](settings& s) { s.buffer_size = 8192; }, {"buffer_size 64kB -> 8kB (restart)"}},
        {[](settings& s) { s.admin.bind.port = 7001; },
         {"admin: bind \"127.0.0.1:7000\" -> \"127.0.0.1:7001\" (restart)"}},
    };
    for (const auto& r : rows)
    {
        auto after = two_listeners();
        r.change(after);
        const auto told = texts(two_listeners(), after);
        CAPTURE(r.told);
        // Beside what is looked for there may be what follows from it: a listener that leads to
        // the primary has no lag.
        if (r.told.empty())
            CHECK(told.empty());
        for (const auto& line : r.told)
        {
            CAPTURE(line);
            CHECK(std::ranges::find(told, line) != told.end());
        }
    }
}

TEST_CASE("secrets are told of, not told")
{
    auto before = two_listeners();
    before.clusters[0].dcs = some_dcs();
    before.clusters[0].sql.emplace().user = "u";
    auto after = before;
    after.clusters[0].dcs->password = "hunter2";
    after.clusters[0].sql->password = "hunter3";
    auto changed = before;
    changed.clusters[0].dcs->password = "hunter4";
    changed.clusters[0].sql->password = "hunter5";
    for (const auto* from : {&before, &changed})
    {
        const auto told = texts(*from, after);
        REQUIRE(!told.empty());
        for (const auto& line : told)
            CHECK(line.find("hunter") == line.npos);
    }
    const auto both = texts(changed, after);
    CHECK(both.size() == 2);
}

TEST_CASE("nothing that differs is passed over, even what print() cannot show")
{
    auto after = two_listeners();
    std::swap(after.listeners[0], after.listeners[1]);
    CHECK(diff(two_listeners(), after).size() == 1);
}

TEST_CASE("what cannot be changed while running stays, the rest does not")
{
    const auto running = two_listeners();
    auto wanted = running;
    wanted.workers = 7;
    wanted.buffer_size = 4096;
    wanted.admin.bind.port = 1;
    wanted.level = log_level::error;
    const auto next = without_restart(wanted, running);
    CHECK(next.level == log_level::error);
    for (const auto& c : diff(running, next))
        CHECK_FALSE(c.needs_restart);
    for (const auto& c : diff(next, wanted))
        CHECK(c.needs_restart);
    CHECK(diff(next, wanted).size() == 3);
}

TEST_CASE("a cluster is the same when somebody who was asked is asked still, of the same scope")
{
    const auto a = two_listeners().clusters.front();
    auto b = a;
    b.patroni.members = {{"10.0.0.2", 8008}, {"10.0.0.3", 8008}};
    CHECK(is_same_cluster(a, b));
    b.patroni.members = {{"10.0.0.3", 8008}};
    CHECK_FALSE(is_same_cluster(a, b));

    auto watched = a;
    watched.dcs = some_dcs();
    CHECK(is_same_cluster(a, watched));
    auto moved = watched;
    moved.patroni.members = b.patroni.members;
    CHECK(is_same_cluster(watched, moved));
    moved.dcs->scope = "another";
    CHECK_FALSE(is_same_cluster(watched, moved));

    cluster_settings plain;
    plain.postgres.emplace().members = {{"a", 5432}, {"b", 5432}};
    CHECK_FALSE(is_same_cluster(a, plain));
    auto fewer = plain;
    fewer.postgres->members.pop_back();
    CHECK(is_same_cluster(plain, fewer));
}

TEST_SUITE_END();
