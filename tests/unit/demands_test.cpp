// SPDX-License-Identifier: PostgreSQL
//
// From what a member is to what each listener makes of it: every state of a member against every
// role, as Patroni's endpoints answer.
#include "health/demands.hpp"

#include "tests/support/evidence_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace rolegate::support;
using rolegate::config::listener_role;
using role = member_role;
using state = member_state;

namespace
{

constexpr listener_role all_roles[] = {
    listener_role::primary,
    listener_role::leader,
    listener_role::standby_leader,
    listener_role::replica,
    listener_role::read_only,
    listener_role::sync,
    listener_role::async,
    listener_role::quorum,
    listener_role::read_only_sync,
    listener_role::read_only_quorum,
    listener_role::any,
};

// One listener for each role.
story with_all_roles()
{
    story s;
    s.rules.demands.clear();
    for (const auto r : all_roles)
        s.rules.demands.push_back(demand_of(r));
    return s;
}

story with(demand d)
{
    story s;
    s.rules.demands = {std::move(d)};
    return s;
}

// "o" open, "k" keep, "." closed, in the order of all_roles.
std::string picture(const topology& t, const char* name)
{
    std::string out;
    for (const auto& g : t.find(name)->grants)
        out += g.verdict == admission::open ? 'o' : g.verdict == admission::keep ? 'k' : '.';
    return out;
}

member_word standby(sync_state sync)
{
    auto w = replica();
    w.sync_standby = sync == sync_state::sync;
    w.quorum_standby = sync == sync_state::quorum;
    return w;
}

member_word tagged(tag_map tags)
{
    auto w = replica();
    w.tags = std::move(tags);
    return w;
}

story standby_cluster()
{
    auto s = with_all_roles();
    s.leading_standby_cluster = true;
    s.settle();
    s.lock("a").says("a", word(role::standby_leader, state::running)).decide();
    return s;
}

} // namespace

TEST_SUITE_BEGIN("health/demands");

TEST_CASE("each role takes the members that Patroni's endpoint of that name answers 200 for")
{
    // p = primary, l = leader, s = standby-leader, r = replica, o = read-only, then sync, async,
    // quorum, read-only-sync, read-only-quorum, any
    const struct
    {
        const char* name;
        void (*then)(story&);
        const char* a; //          "plsro" "yaq" "YQ" "*"
        const char* b;
    } rows[] = {
        {"a normal cluster", [](story&) {}, "oo..o...ooo", "...ookokkko"},
        {"b is a synchronous standby",
         [](story& s) { s.says("b", standby(sync_state::sync)); },
         "oo..o...ooo",
         "...oookkoko"},
        {"b is a quorum standby",
         [](story& s) { s.says("b", standby(sync_state::quorum)); },
         "oo..o...ooo",
         "...ookkokoo"},
        {"b is tagged noloadbalance",
         [](story& s)
         {
             auto w = replica();
             w.noloadbalance = true;
             s.says("b", w);
         },
         "oo..o...ooo",
         "...kkkkkkkk"},
        {"b starts",
         [](story& s) { s.says("b", word(role::replica, state::starting)); },
         "oo..o...ooo",
         "...kkkkkkkk"},
        {"b is a primary without the lock",
         [](story& s) { s.says("b", primary()); },
         "oo..o...ooo",
         "..........."},
        {"a is not ready", [](story& s) { s.says("a", replica()); }, "kk.kkkkkkkk", "...ookokkko"},
        {"the lock went to b, which is not promoted yet",
         [](story& s) { s.lock("b"); },
         "...........",
         "kk.kkkkkkkk"},
        {"the lock went to b, which is promoted",
         [](story& s) { s.lock("b").says("b", primary(2)); },
         "...........",
         "oo..o...ooo"},
        {"nobody holds the lock", [](story& s) { s.no_lock(); }, "...........", "...ookokkko"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        auto s = with_all_roles();
        for (const char* name : {"a", "b", "c"})
            s.listed(name).role_text = "replica";
        s.settle();
        row.then(s);
        s.decide();

        CHECK(picture(s.believed, "a") == row.a);
        CHECK(picture(s.believed, "b") == row.b);
    }
}

TEST_CASE("the leader of a standby cluster is a leader and may be read from")
{
    auto s = standby_cluster();

    CHECK(s.believed.standby_cluster);
    CHECK(picture(s.believed, "a") == "kookokkkooo");
    CHECK(picture(s.believed, "b") == "...ookokkko");

    s.after(50ms).lock("b").decide();
    CHECK(picture(s.believed, "a").substr(0, 3) == "...");
    CHECK(picture(s.believed, "b").substr(0, 3) == "koo"); // Patroni still says "replica"

    s.says("b", word(role::standby_leader, state::stopping)).decide();
    CHECK(picture(s.believed, "b").substr(0, 3) == "kkk");
}

TEST_CASE("the leader of a standby cluster keeps its sessions while nobody tells of the lock")
{
    auto s = standby_cluster();

    s.dcs_lost().says("a", word(role::standby_leader, state::running)).decide();

    CHECK(grant_text(s.believed, "a", 2) == "keep lock-unknown");
}

TEST_CASE("where there are no roles the check says why a member is not open")
{
    topology t;
    t.kind = cluster_kind::tcp;
    auto& m = t.members.emplace_back();
    m.write = {admission::closed, "no-roles", "this cluster has no roles"};
    m.read = {admission::closed, "check-failed", "3 of 3 checks failed"};

    grant_demands(t, topology{}, {demand_of(listener_role::any)}, story_begins);

    CHECK(m.grants.at(0) == m.read);
}

TEST_CASE("tags are asked of every member but of leaders as such")
{
    auto d = demand_of(listener_role::read_only);
    d.wants.tags = {{"zone", "a"}};
    auto s = with(d);
    s.settle();
    CHECK(grant_text(s.believed, "a", 0) == "keep tags");
    CHECK(s.believed.find("b")->grants[0].reason == "has no tag 'zone'");

    s.says("b", tagged({{"zone", "a"}, {"gpu", "true"}})).says("c", tagged({{"zone", "b"}}));
    s.decide();

    CHECK(grant_text(s.believed, "b", 0) == "open running-replica");
    CHECK(s.believed.find("c")->grants[0].reason == "its tag 'zone' is 'b'");

    s.after(1s).says("b", tagged({})).decide();
    CHECK(grant_text(s.believed, "b", 0) == "keep tags");
}

TEST_CASE("a filter on the replication state is not met by what is not known")
{
    auto streaming = demand_of(listener_role::replica);
    streaming.wants.replication_state = "streaming";
    auto archive = demand_of(listener_role::replica);
    archive.wants.replication_state = "in archive recovery";
    const struct
    {
        const char* replication_state;
        const char* version;
        const char* streaming;
        const char* archive;
    } rows[] = {
        {"", "3.0.2", "keep replication-state", "keep replication-state"},
        {"", "4.0.4", "keep not-streaming", "keep not-streaming"},
        {"streaming", "4.0.4", "open running-replica", "keep replication-state"},
        {"in archive recovery", "4.0.4", "keep not-streaming", "open archive-replica"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.replication_state);
        story s;
        s.rules.demands = {streaming, archive};
        s.settle();
        auto w = replica();
        w.replication_state = row.replication_state;
        w.patroni_version = row.version;
        s.after(31s).lock("a").says("a", primary()).says("b", w).decide(); // time to follow is over

        CHECK(grant_text(s.believed, "b", 0) == row.streaming);
        CHECK(grant_text(s.believed, "b", 1) == row.archive);
    }
}

TEST_CASE("the primary stands in while no replica is open, and keeps what it got")
{
    auto d = demand_of(listener_role::replica);
    d.wants.fallback_primary = true;
    auto s = with(d);
    s.settle();
    CHECK(grant_text(s.believed, "a", 0) == "keep fallback-over");

    const auto stopped = word(role::replica, state::stopped);
    s.after(1s).says("b", stopped).decide();
    CHECK(grant_text(s.believed, "a", 0) == "keep fallback-over");
    s.says("c", stopped).decide();
    CHECK(grant_text(s.believed, "a", 0) == "open fallback");

    const auto generation = s.believed.generation;
    s.decide();
    CHECK(s.believed.generation == generation);

    s.after(1s).says("c", replica()).decide();
    CHECK(grant_text(s.believed, "a", 0) == "keep fallback-over");
    CHECK(grant_text(s.believed, "c", 0) == "open running-replica");
}

TEST_CASE("a primary that lost the role stands in for nobody")
{
    auto d = demand_of(listener_role::replica);
    d.wants.fallback_primary = true;
    auto s = with(d);
    s.settle();
    const auto stopped = word(role::replica, state::stopped);
    s.says("b", stopped).says("c", stopped).decide();

    s.after(50ms).no_lock().decide();

    CHECK(grant_text(s.believed, "a", 0) == "closed is-primary");
}

TEST_CASE("replicas that have not been heard yet are waited for")
{
    auto d = demand_of(listener_role::replica);
    d.wants.fallback_primary = true;
    auto s = with(d);

    s.lock("a").says("a", primary()).decide();
    CHECK(grant_text(s.believed, "b", 0) == "keep unheard");
    CHECK(s.believed.find("a")->grants[0].verdict == admission::keep);

    s.after(5ms).says("b", replica()).says("c", replica()).decide();
    CHECK(grant_text(s.believed, "a", 0) == "keep fallback-over");
}

TEST_CASE("who is preferred is told with the verdict")
{
    auto d = demand_of(listener_role::replica);
    d.wants.prefer_tags = {{"zone", "a"}};
    auto s = with(d);
    s.settle();
    CHECK_FALSE(s.believed.find("b")->grants[0].preferred);

    s.says("b", tagged({{"zone", "a"}})).decide();

    CHECK(s.believed.find("b")->grants[0].preferred);
    CHECK_FALSE(s.believed.find("c")->grants[0].preferred);
    CHECK(grant_text(s.believed, "c", 0) == "open running-replica");
}

TEST_CASE("a change of a listener's own verdict stands in the log under its name")
{
    auto d = demand_of(listener_role::replica, "near");
    d.wants.tags = {{"zone", "a"}};
    auto s = with(d);
    s.settle();
    s.says("b", tagged({{"zone", "a"}})).decide();
    s.after(1s).says("b", tagged({{"zone", "b"}})).decide();

    CHECK(s.believed.cause == "b keep for near: its tag 'zone' is 'b'; b has other tags");
}

TEST_CASE("a check over HTTP that fails keeps new sessions away, and opens nobody")
{
    auto s = with(demand_of(listener_role::primary));
    s.rules.demands.push_back(demand_of(listener_role::replica));
    s.rules.checks_members = true;
    const auto picture_of = [&]
    {
        return grant_text(s.believed, "a", 0) + ", " + grant_text(s.believed, "b", 1) + ", " +
               grant_text(s.believed, "c", 1);
    };
    s.settle();
    CHECK(picture_of() == "keep http-check, keep http-check, keep http-check");
    CHECK(s.believed.find("a")->grants[0].reason == "has not been checked over HTTP yet");
    CHECK(s.believed.primary()->name == "a"); // nothing else changes

    const check_report good{true, "UP", "the last check passed"};
    s.seen.checks = {{"a", good}, {"b", {false, "DOWN", "3 of 3 checks failed: HTTP status 503"}}};
    s.decide();
    CHECK(picture_of() == "open lock-and-word, keep http-check, keep http-check");
    const auto& b = *s.believed.find("b");
    CHECK(b.grants[1].reason == "over HTTP 3 of 3 checks failed: HTTP status 503");
    CHECK(b.check_text == "DOWN");
    CHECK(b.read.verdict == admission::open);

    s.seen.checks["b"] = s.seen.checks["c"] = good;
    s.decide();
    CHECK(picture_of() == "open lock-and-word, open running-replica, open running-replica");

    // Whoever may not have sessions by its role gets none by a good check.
    CHECK(grant_text(s.believed, "b", 0).starts_with("closed"));
    CHECK(grant_text(s.believed, "a", 1) == "closed is-primary");
}

TEST_CASE("... nor as one that stands in")
{
    auto d = demand_of(listener_role::replica);
    d.wants.fallback_primary = true;
    auto s = with(d);
    s.rules.checks_members = true;
    const check_report good{true, "UP", "the last check passed"};
    const check_report bad{false, "DOWN", "the last check failed: timed out"};
    s.settle();

    // The others' first checks are still under way.
    s.seen.checks = {{"a", good}, {"b", bad}};
    s.decide();
    CHECK(s.believed.find("a")->grants[0].verdict == admission::keep);

    s.seen.checks["c"] = bad;
    s.decide();
    CHECK(grant_text(s.believed, "a", 0) == "open fallback");
    s.seen.checks["a"] = bad;
    s.decide();
    CHECK(grant_text(s.believed, "a", 0) == "keep http-check");
    s.seen.checks["b"] = good;
    s.decide();
    CHECK(grant_text(s.believed, "a", 0) == "keep fallback-over");
}

TEST_SUITE_END();
