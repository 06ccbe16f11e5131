// SPDX-License-Identifier: PostgreSQL
//
// The picture around the verdicts: its age, its generation, the members in it, and the cause that
// people are told.
#include "health/decide.hpp"

#include "proxy/route.hpp"
#include "tests/support/evidence_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace rolegate::support;
using rolegate::proxy::has_open_member;
using state = member_state;
using role = member_role;

TEST_SUITE_BEGIN("health/decide");

TEST_CASE("a view that nobody confirms any more routes nobody")
{
    story s;
    s.rules.stale_after = 8s;
    s.settle();
    const auto confirmed = *s.believed.confirmed;

    for (const auto to : {write_port, read_port})
    {
        CHECK(has_open_member(to, s.believed, confirmed + 8s));
        CHECK_FALSE(has_open_member(to, s.believed, confirmed + 8s + 1ms));
        CHECK(s.believed.stale(confirmed + 8s + 1ms));
    }

    // Deciding again without new evidence does not make it younger.
    s.now = confirmed + 9s;
    s.says("b", replica()).decide();
    CHECK(s.believed.confirmed == confirmed);
    CHECK_FALSE(has_open_member(read_port, s.believed, s.now));
    CHECK(s.believed.stale(s.now));
}

TEST_CASE("when the DCS is out for all, what members say of themselves confirms the view")
{
    story s;
    s.rules.stale_after = 8s;
    s.settle();
    s.after(6s).says("a", replica()).says("b", replica()).decide(); // a has given up
    CHECK(s.believed.confirmed == s.now);

    s.after(20s).silent("a").says("b", replica()).decide();
    CHECK(s.believed.confirmed != s.now); // what a is now, nobody knows
    s.after(1s).says("a", replica()).says("b", replica()).decide();
    CHECK(s.believed.confirmed == s.now);
    CHECK(has_open_member(read_port, s.believed, s.now));
    CHECK_FALSE(has_open_member(write_port, s.believed, s.now));

    s.after(1s).says("a", primary()).says("b", replica()).decide();
    CHECK(s.believed.confirmed == s.now - 1s); // it may lead, and does not say that it may

    story unseen;
    unseen.says("a", replica()).says("b", replica()).decide();
    CHECK_FALSE(unseen.believed.confirmed);
}

TEST_CASE("a member that is neither listed nor heard is nothing any more")
{
    story s;
    s.settle();
    REQUIRE(s.believed.find("a")->role == role::primary);

    s.after(20s).leave("a").silent("a").lock("b").says("b", primary(2)).decide();

    const auto* a = s.believed.find("a");
    REQUIRE(a);
    CHECK(a->role == role::unknown);
    CHECK(a->state == state::unknown);
    CHECK(!a->timeline);
    CHECK(s.believed.cause.find("a is not heard of any more") != std::string::npos);
}

TEST_CASE("a listing confirms the view, and so does the primary that claims the lock")
{
    story s;
    s.settle();

    s.after(1s).lock("a").decide();
    CHECK(s.believed.confirmed == s.now);

    s.dcs_lost().says("a", primary()).decide();
    CHECK(s.believed.confirmed == s.now - s.rules.fresh_for - 1ms);

    s.after(1s).claims("a", primary()).decide();
    CHECK(write_of(s.believed, "a") == "open rest-only");
    CHECK(s.believed.confirmed == s.now);
}

TEST_CASE("the view goes stale after what the operator set, else the cluster's ttl, else 10 s")
{
    story s;
    s.settle();
    CHECK(s.believed.stale_after == 10s);

    s.seen.ttl = 25s;
    s.decide();
    CHECK(s.believed.stale_after == 25s);
    CHECK(s.believed.cause == "a view is too old after 25000 ms");

    s.rules.stale_after = 3s;
    s.decide();
    CHECK(s.believed.stale_after == 3s);
}

TEST_CASE("a primary without an address is kept, not opened")
{
    story s;
    s.seen.addresses.clear();

    s.lock("a").says("a", primary()).says("b", replica()).decide();
    CHECK(write_of(s.believed, "a") == "keep no-address");
    CHECK(read_of(s.believed, "b") == "keep no-address");
    CHECK(s.believed.find("a")->write.reason == "its host name 'a.example' has no address");

    s.seen.addresses["a.example"] = {"10.0.0.1"};
    s.decide();
    CHECK(write_of(s.believed, "a") == "open lock-and-word");
    CHECK(s.believed.find("a")->address == "10.0.0.1");

    story hostless;
    hostless.listed("b").host.clear();
    hostless.listed("c").port = 0;
    hostless.lock("a").says("b", replica()).says("c", replica()).decide();
    CHECK(read_of(hostless.believed, "b") == "keep no-address");
    CHECK(read_of(hostless.believed, "c") == "keep no-address");
}

TEST_CASE("all addresses of a name are known, and go with the host")
{
    story s;
    s.seen.addresses["a.example"] = {"10.0.0.1", "fd00::1"};
    s.settle();
    CHECK(s.believed.find("a")->address == "10.0.0.1");
    CHECK(s.believed.find("a")->other_addresses == std::vector<std::string>{"fd00::1"});

    const auto generation = s.believed.generation;
    s.seen.addresses["a.example"] = {"fd00::1", "10.0.0.1"};
    s.decide();
    CHECK(s.believed.find("a")->address == "fd00::1");
    CHECK(s.believed.generation == generation + 1);

    s.listed("a").host = "elsewhere.example";
    s.lock("a").says("a", primary()).decide();
    CHECK(s.believed.find("a")->address == "");
    CHECK(s.believed.find("a")->other_addresses.empty());
}

TEST_CASE("clients go to the pooler of a member where that is wanted")
{
    story s;
    s.seen.poolers["b"] = {"b.example", 6432};
    s.settle();

    CHECK(s.believed.find("b")->port == 6432);
    CHECK(s.believed.find("b")->address == "10.0.0.2");
    CHECK(read_of(s.believed, "b") == "open running-replica");
    CHECK(s.believed.find("a")->port == 5432);
}

TEST_CASE("a name that cannot be looked up for a while keeps its address")
{
    story s;
    s.settle();

    s.seen.addresses.clear();
    s.lock("a").decide();

    CHECK(write_of(s.believed, "a") == "open lock-and-word");
    CHECK(s.believed.find("a")->address == "10.0.0.1");
}

TEST_CASE("a member that moved to another host is not sought at its old address")
{
    story s;
    s.settle();

    s.listed("b").host = "elsewhere.example";
    s.lock("a").says("b", replica()).decide();

    CHECK(s.believed.find("b")->host == "elsewhere.example");
    CHECK(s.believed.find("b")->address == "");
    CHECK(read_of(s.believed, "b") == "keep no-address");

    s.seen.addresses["elsewhere.example"] = {"10.0.0.99"};
    s.decide();
    CHECK(s.believed.find("b")->address == "10.0.0.99");
    CHECK(read_of(s.believed, "b") == "open running-replica");
}

TEST_CASE("a member that is no longer listed stays in the picture for ten minutes")
{
    story s;
    s.settle();
    s.leave("b").silent("b");

    s.now = story_begins + 10min;
    s.lock("a").says("a", primary()).decide();
    REQUIRE(s.believed.find("b") != nullptr);
    CHECK_FALSE(s.believed.find("b")->listed);

    s.after(1ms).decide();
    CHECK(s.believed.find("b") == nullptr);
    CHECK(s.believed.cause == "b forgotten");
}

TEST_CASE("no member is forgotten while nobody can list the members")
{
    story s;
    s.settle();

    // Failsafe mode: the DCS is away for a quarter of an hour, and the cluster works on.
    s.after(15min).claims("a", failsafe_primary()).says("b", replica()).decide();

    CHECK(write_of(s.believed, "a") == "open rest-only");
    CHECK(read_of(s.believed, "b") == "open running-replica");
    CHECK(s.believed.members.size() == 3);
}

TEST_CASE("the generation grows when the belief changes, and only then")
{
    const struct
    {
        const char* name;
        void (*then)(story&);
        bool grows;
    } rows[] = {
        {"time passes", [](story&) {}, false},
        {"the same lock again", [](story& s) { s.lock("a"); }, false},
        {"the same lock from another reporter", [](story& s) { s.lock("a", "c:8008"); }, false},
        {"the same words again",
         [](story& s) { s.says("a", primary()).says("b", replica()); },
         false},
        {"lag and LSN",
         [](story& s)
         {
             auto w = replica();
             w.lsn = 4711;
             s.listed("b").lag_bytes = 100;
             s.lock("a").says("b", w);
         },
         false},
        {"the lock is free", [](story& s) { s.no_lock(); }, true},
        {"another holder", [](story& s) { s.lock("b"); }, true},
        {"the lock is unknown", [](story& s) { s.dcs_lost(); }, true},
        {"a role", [](story& s) { s.says("b", word(role::unknown, state::running)); }, true},
        {"a state", [](story& s) { s.says("b", word(role::replica, state::starting)); }, true},
        {"a timeline", [](story& s) { s.says("b", replica(2)); }, true},
        {"the reason of an open verdict", [](story& s) { s.lock("a").silent("a"); }, true},
        {"an address", [](story& s) { s.seen.addresses["b.example"] = {"10.0.0.77"}; }, true},
        {"a port",
         [](story& s)
         {
             s.listed("b").port = 5433;
             s.lock("a");
         },
         true},
        {"a new member", [](story& s) { s.join("d").lock("a"); }, true},
        {"a member that left", [](story& s) { s.leave("c").lock("a"); }, true},
        {"pause",
         [](story& s)
         {
             s.next_listing.pause = true;
             s.lock("a");
         },
         true},
        {"the ttl", [](story& s) { s.seen.ttl = 20s; }, true},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        story s;
        s.settle();
        const auto before = s.believed;

        row.then(s);
        s.decide();

        CHECK(s.believed.generation == before.generation + (row.grows ? 1 : 0));
        CHECK(same_belief(before, s.believed) == !row.grows);
        if (!row.grows)
            CHECK(s.believed.cause == before.cause);

        const auto again = decide(s.seen, s.rules, s.believed, s.now);
        CHECK(again.generation == s.believed.generation);
        CHECK(again.cause == s.believed.cause);
    }
}

TEST_CASE("the cause of a change says what happened, the lock first")
{
    const struct
    {
        const char* name;
        void (*then)(story&);
        const char* cause;
    } rows[] = {
        {"the leader stops",
         [](story& s) { s.says("a", word(role::primary, state::stopping)); },
         "a keep for writes: holds the leader lock, but is 'primary' in state 'stopping'; "
         "a is a primary, stopping, timeline 1"},
        {"the lock is released",
         [](story& s) { s.no_lock(); },
         "lock free; a closed for writes: nobody holds the leader lock"},
        {"the leader's Patroni died",
         [](story& s) { s.lock("a").silent("a"); },
         "a still open for writes: holds the leader lock and was a running primary when last "
         "heard; its REST API is silent: Connection refused; a keep for reads: holds the leader "
         "lock"},
        {"another takes over",
         [](story& s) { s.lock("b").says("b", primary(2)).silent("a"); },
         "lock held by b; a closed for writes: b holds the leader lock; a is a replica, "
         "running, timeline 1; b open for writes: holds "
         "the "
         "leader lock and is a running primary; b closed for reads: is a primary; b is a primary, "
         "running, timeline 2"},
        {"a replica is gone",
         [](story& s) { s.silent("b").leave("b").lock("a"); },
         "b keep for reads: is no longer a member; b is not heard of any more; b is no longer "
         "listed"},
        {"pause",
         [](story& s)
         {
             s.next_listing.pause = true;
             s.lock("a");
         },
         "cluster paused"},
        {"an address",
         [](story& s) { s.seen.addresses["b.example"] = {"10.0.0.77"}; },
         "b is at b.example:5432"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        story s;
        s.settle();

        row.then(s);
        s.decide();

        CHECK(s.believed.cause == row.cause);
    }
}

TEST_CASE("what is believed of a member is its own word first, the listing second")
{
    story s;
    s.listed("b").lag_bytes = 100;
    s.lock("a").says("a", primary(3)).decide();

    const auto* a = s.believed.find("a");
    REQUIRE(a != nullptr);
    CHECK(a->role == role::primary);
    CHECK(a->timeline == 3);
    CHECK(a->api_url == "http://a.example:8008/patroni");
    CHECK(a->word_seen == s.now);
    CHECK(a->error == "");
    const auto* b = s.believed.find("b");
    REQUIRE(b != nullptr);
    CHECK(b->role == role::replica);
    CHECK(b->timeline == 1);
    CHECK(b->lag_bytes == 100);
    CHECK_FALSE(b->word_seen);

    s.after(1s).silent("a", "timed out").decide();
    CHECK(s.believed.find("a")->error == "timed out");
    CHECK(s.believed.find("a")->word_seen == s.now - 1s);
}

TEST_CASE("members stand in the order of their names")
{
    story s({"pg-3", "pg-1", "pg-2"});

    s.lock("pg-1").decide();

    REQUIRE(s.believed.members.size() == 3);
    CHECK(s.believed.members[0].name == "pg-1");
    CHECK(s.believed.members[1].name == "pg-2");
    CHECK(s.believed.members[2].name == "pg-3");
}
