// SPDX-License-Identifier: PostgreSQL
//
// Who may be read from.
#include "health/decide.hpp"

#include "proxy/route.hpp"
#include "tests/support/evidence_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace rolegate::support;
using rolegate::proxy::open_members;
using state = member_state;
using role = member_role;

namespace
{

// Patroni says this since 3.0.4; "" = the key is absent.
member_word replicating(const char* replication_state, const char* patroni_version)
{
    auto w = replica();
    w.replication_state = replication_state;
    w.patroni_version = patroni_version;
    return w;
}

std::vector<std::string> readable(const story& s)
{
    return open_members(read_port, s.believed, s.now);
}

} // namespace

TEST_SUITE_BEGIN("health/decide");

TEST_CASE("a replica is read from while it runs, streams and may be balanced to")
{
    const struct
    {
        const char* name;
        void (*then)(story&);
        const char* read_b;
    } rows[] = {
        {"running", [](story& s) { s.says("b", replica()); }, "open running-replica"},
        {"starting",
         [](story& s) { s.says("b", word(role::replica, state::starting)); },
         "keep not-running"},
        {"stopping",
         [](story& s) { s.says("b", word(role::replica, state::stopping)); },
         "keep not-running"},
        {"stopped",
         [](story& s) { s.says("b", word(role::replica, state::stopped)); },
         "keep not-running"},
        {"crashed",
         [](story& s) { s.says("b", word(role::replica, state::crashed)); },
         "keep not-running"},
        {"state unknown",
         [](story& s) { s.says("b", word(role::replica, state::unknown)); },
         "keep not-running"},
        {"role unknown",
         [](story& s) { s.says("b", word(role::unknown, state::running)); },
         "keep not-replica"},
        {"standby leader without the lock",
         [](story& s) { s.says("b", word(role::standby_leader, state::running)); },
         "keep not-replica"},
        {"a primary", [](story& s) { s.says("b", primary()); }, "closed is-primary"},
        {"a primary that stops",
         [](story& s) { s.says("b", word(role::primary, state::stopping)); },
         "closed is-primary"},
        {"got the lock, is being promoted",
         [](story& s) { s.lock("b").says("b", replica()); },
         "keep holds-lock"},
        {"got the lock, is promoted",
         [](story& s) { s.lock("b").says("b", primary(2)); },
         "closed is-primary"},
        {"tagged noloadbalance",
         [](story& s)
         {
             auto w = replica();
             w.noloadbalance = true;
             s.says("b", w);
         },
         "keep noloadbalance"},
        {"of another cluster",
         [](story& s)
         {
             auto w = replica();
             w.database_system_identifier = "7999999999999999999";
             s.says("b", w);
         },
         "closed other-system"},
        {"does not say of which cluster",
         [](story& s)
         {
             auto w = replica();
             w.database_system_identifier.clear();
             s.says("b", w);
         },
         "open running-replica"},
        {"on an older timeline, it served before",
         [](story& s) { s.says("b", replica(1)); },
         "open running-replica"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        story s;
        s.settle();
        REQUIRE(read_of(s.believed, "b") == "open running-replica");

        row.then(s);
        s.decide();

        CHECK(read_of(s.believed, "b") == row.read_b);
        CHECK(read_of(s.believed, "c") == "open running-replica");
    }
}

TEST_CASE("what a replica says of its replication counts from the version that says it")
{
    const struct
    {
        const char* version;
        const char* replication_state;
        const char* read_b;
    } rows[] = {
        {"2.1.7", "", "open running-replica"},
        {"3.0.2", "", "open running-replica"},
        {"3.0.3", "", "open running-replica"},
        {"3.0.4", "", "keep not-streaming"},
        {"3.0.10", "", "keep not-streaming"},
        {"3.1.0", "", "keep not-streaming"},
        {"4.0.5", "", "keep not-streaming"},
        {"10.0.0", "", "keep not-streaming"},
        {"4.1", "", "keep not-streaming"},
        {"3.0", "", "open running-replica"},
        {"", "", "open running-replica"},
        {"who knows", "", "open running-replica"},
        {"3.0.4.99999999999999999999", "", "keep not-streaming"},
        {"3.0.4", "streaming", "open running-replica"},
        {"4.0.5", "streaming", "open running-replica"},
        {"3.0.4", "in archive recovery", "keep not-streaming"},
        {"4.0.5", "in archive recovery", "keep not-streaming"},
        {"3.0.2", "in archive recovery", "keep not-streaming"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.version);
        CAPTURE(row.replication_state);
        story s;
        s.lock("a").says("a", primary()).says("b", replicating(row.replication_state, row.version));

        s.decide();

        CHECK(read_of(s.believed, "b") == row.read_b);
    }
}

TEST_CASE("nobody has to stream while there is nobody to stream from")
{
    story s;
    const auto streams = replicating("streaming", "4.0.5");
    const auto alone = replicating("", "4.0.5");
    s.lock("a").says("a", primary()).says("b", streams).says("c", streams).decide();
    CHECK(readable(s) == std::vector<std::string>{"b", "c"});

    // The primary's host is gone, and so are the connections of its standbys.
    s.after(1s).lock("a", "b:8008").silent("a").says("b", alone).says("c", alone).decide();
    CHECK(readable(s) == std::vector<std::string>{"b", "c"});
    s.after(20s).no_lock("b:8008").silent("a").says("b", alone).says("c", alone).decide();
    CHECK(readable(s) == std::vector<std::string>{"b", "c"});

    // A new one: the other has time to find it, and no more.
    s.after(1s).lock("b", "b:8008").silent("a").says("b", primary(2)).says("c", alone).decide();
    CHECK(readable(s) == std::vector<std::string>{"c"});
    s.after(31s).lock("b", "b:8008").silent("a").says("b", primary(2)).says("c", alone).decide();
    CHECK(read_of(s.believed, "c") == "keep not-streaming");
}

TEST_CASE("a silent replica is read from as long as its own key says that it runs")
{
    const struct
    {
        const char* name;
        void (*then)(story&);
        const char* read_b;
    } rows[] = {
        {"listed as running", [](story& s) { s.lock("a"); }, "open listed-replica"},
        {"listed as starting",
         [](story& s)
         {
             s.listed("b").state = state::starting;
             s.lock("a");
         },
         "keep not-running"},
        {"listed in a role we do not know",
         [](story& s)
         {
             s.lock("a");
             for (auto& m : s.seen.reports["a:8008"].listing.members)
                 if (m.name == "b")
                     m.role = role::unknown;
         },
         "keep not-running"},
        {"listed as noloadbalance",
         [](story& s)
         {
             s.listed("b").noloadbalance = true;
             s.lock("a");
         },
         "keep noloadbalance"},
        {"listed as running, and it refuses clients",
         [](story& s) { s.lock("a").refuses("b"); },
         "keep silent"},
        {"the same, and asked again in vain",
         [](story& s)
         {
             s.lock("a").refuses("b").decide();
             s.after(2s).lock("a").silent("b");
         },
         "keep silent"},
        {"listed as running, and a client waited in vain as well",
         [](story& s) { s.lock("a").leaves_waiting("b"); },
         "keep silent"},
        {"the same, and asked again in vain",
         [](story& s)
         {
             s.lock("a").leaves_waiting("b").decide();
             s.after(2s).lock("a").silent("b");
         },
         "keep silent"},
        {"a ttl after it has refused a client: its key was renewed",
         [](story& s)
         {
             s.lock("a").refuses("b").decide();
             s.after(31s).lock("a").silent("b");
         },
         "open listed-replica"},
        {"a ttl after a client has waited in vain",
         [](story& s)
         {
             s.lock("a").leaves_waiting("b").decide();
             s.after(31s).lock("a").silent("b");
         },
         "open listed-replica"},
        {"a client waited in vain before its word",
         [](story& s)
         {
             s.lock("a").leaves_waiting("b");
             s.after(1s).lock("a").says("b", replica()).silent("b");
         },
         "open listed-replica"},
        {"listed as the holder of the lock", [](story& s) { s.lock("b"); }, "keep holds-lock"},
        {"last heard as a primary: its key outlives it",
         [](story& s)
         {
             s.says("b", primary()).decide();
             s.after(1s).lock("a").silent("b");
         },
         "closed was-primary"},
        {"the same, and nobody knows who holds the lock",
         [](story& s)
         {
             s.says("b", primary()).decide();
             s.after(1s).dcs_lost().silent("b");
         },
         "keep silent"},
        {"not listed any more", [](story& s) { s.leave("b").lock("a"); }, "keep silent"},
        {"nobody lists the members",
         [](story& s) { s.dcs_lost().claims("a", primary()); },
         "keep silent"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        story s;
        s.settle();
        s.silent("b");

        row.then(s);
        s.decide();

        CHECK(read_of(s.believed, "b") == row.read_b);
    }
}

TEST_CASE("a client that waits in vain says nothing against one whose Patroni answers")
{
    story s;
    s.settle();
    s.leaves_waiting("a").leaves_waiting("b").decide();

    CHECK(read_of(s.believed, "b") == "open running-replica");
    CHECK(write_of(s.believed, "a") == "open lock-and-word");
    s.after(1s).lock("a").silent("a").decide(); // nor against a primary that is silent
    CHECK(write_of(s.believed, "a") == "open degraded");
}

TEST_CASE("a member that has only been listed is not read from before it was asked")
{
    story s;

    s.lock("a").decide();
    CHECK(read_of(s.believed, "b") == "keep unheard");

    s.silent("b").decide();
    CHECK(read_of(s.believed, "b") == "open listed-replica");

    s.after(5ms).says("b", replica()).decide();
    CHECK(read_of(s.believed, "b") == "open running-replica");
}

TEST_CASE("a replica that the DCS has lost is read from while it answers for itself")
{
    story s;
    s.settle();

    s.leave("b").lock("a").says("b", replica()).decide();

    CHECK(read_of(s.believed, "b") == "open running-replica");
    CHECK_FALSE(s.believed.find("b")->listed);
}

TEST_CASE("replicas serve on while nobody can read the DCS")
{
    story s;
    s.settle();

    s.dcs_lost().says("a", primary()).says("b", replica()).says("c", replica()).decide();

    CHECK(readable(s) == std::vector<std::string>{"b", "c"});
}

TEST_CASE("after a promotion a replica that served gets thirty seconds to follow")
{
    story s;
    s.settle();
    s.lock("b").silent("a").says("b", primary(2)).says("c", replica(1)).decide();
    REQUIRE(write_of(s.believed, "b") == "open lock-and-word");
    CHECK(read_of(s.believed, "c") == "open running-replica");

    const auto promoted = s.now;
    s.now = promoted + 30s;
    s.lock("b").says("b", primary(2)).says("c", replica(1)).decide();
    CHECK(read_of(s.believed, "c") == "open running-replica");

    s.after(1ms).decide();
    CHECK(read_of(s.believed, "c") == "keep old-timeline");

    s.after(1s).lock("b").says("b", primary(2)).says("c", replica(2)).decide();
    CHECK(read_of(s.believed, "c") == "open running-replica");
}

TEST_CASE("a member that comes back on an old timeline is not read from until it has followed")
{
    story s;
    s.settle();
    s.lock("b").silent("a").says("b", primary(2)).says("c", replica(2)).decide();

    // It may hold rows that nobody else has.
    s.after(1s).lock("b").says("a", replica(1)).decide();
    CHECK(read_of(s.believed, "a") == "keep old-timeline");

    s.after(1s).lock("b").says("a", replica(2)).decide();
    CHECK(read_of(s.believed, "a") == "open running-replica");
}

TEST_CASE("the grace of a promotion is lost with the first interruption")
{
    story s;
    s.settle();
    s.lock("b").says("b", primary(2)).says("c", replica(1)).decide();
    REQUIRE(read_of(s.believed, "c") == "open running-replica");

    s.after(1s).lock("b").says("c", word(role::replica, state::starting, 1)).decide();
    CHECK(read_of(s.believed, "c") == "keep not-running");

    s.after(1s).lock("b").says("c", replica(1)).decide();
    CHECK(read_of(s.believed, "c") == "keep old-timeline");
}

TEST_CASE("no member is read from and written to at a time")
{
    story s;
    s.settle();

    CHECK(read_of(s.believed, "a") == "closed is-primary");

    s.lock("a").silent("a").decide();
    CHECK(write_of(s.believed, "a") == "open degraded");
    CHECK(read_of(s.believed, "a") == "keep holds-lock");

    s.after(1s).dcs_lost().claims("a", primary()).decide();
    CHECK(write_of(s.believed, "a") == "open rest-only");
    CHECK(read_of(s.believed, "a") == "closed is-primary");
}

TEST_CASE("the leader of a standby cluster takes no writes, its replicas are read from")
{
    story s;

    s.lock("a").says("a", word(role::standby_leader, state::running)).says("b", replica()).decide();

    CHECK(write_of(s.believed, "a") == "keep holder-not-ready");
    CHECK(read_of(s.believed, "a").starts_with("keep "));
    CHECK(readable(s) == std::vector<std::string>{"b"});
}

TEST_CASE(
    "a member of another cluster is refused in the same moment in which the first primary opens"
)
{
    auto foreign = replica();
    foreign.database_system_identifier = "7999999999999999999";
    story s;

    s.lock("a").says("a", primary()).says("b", foreign).decide();

    CHECK(write_of(s.believed, "a") == "open lock-and-word");
    CHECK(read_of(s.believed, "b") == "closed other-system");
}
