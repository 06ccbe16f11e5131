// SPDX-License-Identifier: PostgreSQL
//
// How far a replica is behind, and what follows from it for a listener with a limit.
#include "health/lag.hpp"

#include "health/facts.hpp"
#include "tests/support/evidence_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace rolegate::support;
using rolegate::config::listener_role;
using rolegate::config::member_demand;

namespace
{

constexpr std::int64_t MB = 1 << 20;

member_demand limited(std::int64_t leave = 10 * MB, std::int64_t enter = 5 * MB)
{
    member_demand d;
    d.role = listener_role::replica;
    d.lag = {leave, enter};
    return d;
}

member behind(std::optional<std::int64_t> bytes)
{
    member m;
    m.lag_bytes = bytes;
    return m;
}

member_word at(member_word w, std::int64_t lsn)
{
    w.lsn = lsn;
    return w;
}

member_word replaying(std::int64_t replayed, std::int64_t received, const char* replication_state)
{
    auto w = at(replica(), replayed);
    w.received_lsn = received;
    w.replayed_age = 7s;
    w.replication_state = replication_state;
    w.patroni_version = *replication_state ? "4.0.4" : "3.0.2";
    return w;
}

// One listener with a limit of 10 MB; a is at 100 MB.
story limited_story()
{
    story s;
    s.rules.demands = {{"near", limited()}};
    s.settle();
    s.says("a", at(primary(), 100 * MB)).decide();
    return s;
}

std::string lag_of(const story& s, const char* name)
{
    const auto& lag = s.believed.find(name)->lag_bytes;
    return lag ? std::to_string(*lag / MB) : "unknown";
}

} // namespace

TEST_SUITE_BEGIN("health/lag");

TEST_CASE("beyond leave it lags, and comes back when it was at enter or below for the dwell")
{
    const auto d = limited();
    const auto t = story_begins;
    lag_watch w;
    const auto sees = [&](std::int64_t mb, std::chrono::milliseconds after)
    {
        w = watch_lag(d, behind(mb * MB), w, t + after);
        return w.lagging;
    };
    CHECK_FALSE(sees(7, 0s)); // never beyond leave
    CHECK_FALSE(sees(10, 1s));
    CHECK(sees(11, 2s));
    CHECK(sees(7, 3s));
    CHECK(sees(5, 4s)); // from here on
    CHECK(sees(0, 13999ms));
    CHECK_FALSE(sees(0, 14s));
    CHECK_FALSE(sees(9, 15s));
}

TEST_CASE("the dwell begins anew whenever it is above enter, or unknown")
{
    const auto d = limited();
    const lag_watch low{true, story_begins};
    const auto later = story_begins + 9s;
    CHECK(watch_lag(d, behind(6 * MB), low, later) == lag_watch{true, std::nullopt});
    CHECK(watch_lag(d, behind(std::nullopt), low, later) == lag_watch{true, std::nullopt});
    CHECK(watch_lag(d, behind(1 * MB), low, later) == low);
    CHECK(watch_lag(d, behind(1 * MB), {}, later) == lag_watch{});
}

TEST_CASE("of two limits both count")
{
    auto d = limited();
    d.lag_time = {10s, 5s};
    auto m = behind(1 * MB);
    m.lag_time = 11s;
    CHECK(watch_lag(d, m, {}, story_begins).lagging);
    m.lag_time = 6s;
    CHECK(watch_lag(d, m, {true, {}}, story_begins) == lag_watch{true, std::nullopt});
    m.lag_time = 5s;
    CHECK(watch_lag(d, m, {true, {}}, story_begins) == lag_watch{true, story_begins});
    m.lag_time.reset();
    CHECK(std::string(lag_refusal(d, m, {}, story_begins)->rule) == "lag-unknown");
}

TEST_CASE("the reason tells numbers, limits and what is left of the dwell")
{
    const auto d = limited();
    const auto m = behind(12 * MB + 5);
    CHECK(
        lag_refusal(d, m, {true, {}}, story_begins)->reason ==
        "is 12288kB behind (limit 10MB, to come back 5MB)"
    );
    const auto low = behind(4096);
    CHECK(
        lag_refusal(d, low, {true, story_begins}, story_begins + 3s)->reason ==
        "is 4kB behind (limit 10MB, to come back 5MB); comes back in 7 s if that lasts"
    );
    CHECK_FALSE(lag_refusal(d, low, {}, story_begins));
    CHECK_FALSE(lag_refusal({}, behind(std::nullopt), {}, story_begins));
}

TEST_CASE("300 crossings in a minute change the belief once; numbers never do")
{
    auto s = limited_story();
    s.says("b", at(replica(), 100 * MB)).decide();
    REQUIRE(grant_text(s.believed, "b", 0) == "open running-replica");

    auto generation = s.believed.generation;
    int changes = 0;
    for (int i = 0; i < 300; ++i)
    {
        s.after(200ms).lock("a").says("a", at(primary(), 100 * MB));
        s.says("b", at(replica(), i % 2 ? 100 * MB : 80 * MB)).says("c", replica()).decide();
        changes += s.believed.generation != generation;
        generation = s.believed.generation;
    }
    CHECK(changes <= 2); // b leaves; c, of which nothing is known, may be told of, too
    CHECK(grant_text(s.believed, "b", 0) == "keep lag");

    for (int i = 0; i < 99; ++i) // 9.9 s
    {
        s.after(100ms).lock("a").says("a", at(primary(), 100 * MB)).says("c", replica());
        s.says("b", at(replica(), 100 * MB - i)).decide();
    }
    CHECK(grant_text(s.believed, "b", 0) == "keep lag");
    s.after(200ms).decide();
    CHECK(grant_text(s.believed, "b", 0) == "open running-replica");
}

TEST_CASE("a lag that nobody knows meets no limit, and is no zero")
{
    auto s = limited_story();
    CHECK(lag_of(s, "b") == "unknown");
    CHECK(grant_text(s.believed, "b", 0) == "keep lag-unknown");

    s.listed("b").lag_bytes = 3 * MB;
    s.lock("a").decide();
    CHECK(lag_of(s, "b") == "3");
    CHECK(grant_text(s.believed, "b", 0) == "open running-replica");
}

TEST_CASE("a replica's word is held against a position of the leader that is not newer")
{
    auto s = limited_story(); // a was at 100 MB
    s.after(100ms).says("b", at(replica(), 99 * MB));
    s.after(100ms).says("a", at(primary(), 200 * MB)).decide();
    CHECK(lag_of(s, "b") == "1");

    s.after(100ms).says("b", at(replica(), 198 * MB)).decide();
    CHECK(lag_of(s, "b") == "2");

    s.after(100ms).says("b", at(replica(), 201 * MB)).decide(); // ahead of what is known
    CHECK(lag_of(s, "b") == "0");
}

TEST_CASE("what was measured counts for a while, then what the listing says")
{
    auto s = limited_story();
    s.listed("b").lag_bytes = 20 * MB;
    s.lock("a").says("b", at(replica(), 99 * MB)).decide();
    CHECK(lag_of(s, "b") == "1");

    s.after(4s).lock("a").says("a", primary()).silent("b").decide();
    CHECK(lag_of(s, "b") == "1");

    s.after(2s).lock("a").says("a", primary()).decide();
    CHECK(lag_of(s, "b") == "20");
}

TEST_CASE("the leader has no lag, and the next one does not inherit its position")
{
    auto s = limited_story();
    CHECK(lag_of(s, "a") == "unknown");

    s.after(1s).lock("b").says("b", at(primary(2), 100 * MB)).says("a", at(replica(2), 98 * MB));
    s.decide();

    CHECK(lag_of(s, "b") == "unknown");
    CHECK(lag_of(s, "a") == "2");
}

TEST_CASE("time behind is that of what was replayed last, unless there is nothing to replay")
{
    const struct
    {
        const char* name;
        member_word word;
        std::optional<std::chrono::milliseconds> lag_time;
    } rows[] = {
        {"all is replayed, it streams", replaying(90 * MB, 90 * MB, "streaming"), 0ms},
        {"something is left", replaying(89 * MB, 90 * MB, "streaming"), 7s},
        {"all is replayed, from the archive", replaying(90, 90, "in archive recovery"), 7s},
        {"nobody says whether it streams, it is behind", replaying(90 * MB, 90 * MB, ""), 7s},
        {"nobody says whether it streams, it is where the primary is",
         replaying(100 * MB, 100 * MB, ""),
         0ms},
        {"it says nothing", replica(), std::nullopt},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        auto s = limited_story();
        s.says("b", row.word).decide();
        CHECK((s.believed.find("b")->lag_time == row.lag_time));
    }
}

TEST_CASE("a replica is not further behind than since it was up to date")
{
    auto s = limited_story();
    s.says("b", replaying(90 * MB, 90 * MB, "streaming")).decide();
    s.after(1s).says("b", replaying(90 * MB, 91 * MB, "streaming")).decide();
    CHECK((s.believed.find("b")->lag_time == 1s));
    s.after(1s).says("b", replaying(90 * MB, 92 * MB, "streaming")).decide();
    CHECK((s.believed.find("b")->lag_time == 2s));
    s.after(9s).says("b", replaying(91 * MB, 92 * MB, "streaming")).decide();
    CHECK((s.believed.find("b")->lag_time == 7s)); // that old is what it has replayed
    s.after(1s).says("b", replaying(92 * MB, 92 * MB, "streaming")).decide();
    CHECK((s.believed.find("b")->lag_time == 0ms));
}

TEST_CASE("before it is known where the primary is, an old replica's delay is unknown")
{
    story s;
    s.lock("a").says("b", replaying(90 * MB, 90 * MB, "")).decide();
    CHECK_FALSE(s.believed.find("b")->lag_time);
}

TEST_CASE("versions are compared as numbers")
{
    CHECK(version_of("3.0.4") == std::array{3, 0, 4});
    CHECK(version_of("10.1") == std::array{10, 1, 0});
    CHECK(version_of("") == std::array{0, 0, 0});
    CHECK(version_of("4.0.99999999.1") > std::array{4, 0, 3});
}

TEST_SUITE_END();
