// SPDX-License-Identifier: PostgreSQL
//
// Tags and the kind of replication: which of several sources counts.
#include "health/decide.hpp"

#include "health/patroni/timestamp.hpp"
#include "tests/support/evidence_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace rolegate::support;
using rolegate::health::patroni::parse_timestamp;

TEST_SUITE_BEGIN("health/facts");

TEST_CASE("whether the primary waits for a replica is told by the DCS, its own word, a listing")
{
    const struct
    {
        const char* name;
        const char* version;
        bool flag;
        bool unlocked;
        const char* listed;
        bool by_dcs;
        sync_state is;
    } rows[] = {
        {"its word", "3.0.2", true, false, "replica", false, sync_state::sync},
        {"its silence, from 3.0.2 on",
         "3.0.2",
         false,
         false,
         "sync_standby",
         false,
         sync_state::async},
        {"a listing, before 3.0.2", "3.0.1", false, false, "sync_standby", false, sync_state::sync},
        {"a listing, before 3.0.2, of none",
         "2.1.7",
         false,
         false,
         "replica",
         false,
         sync_state::async},
        {"a listing, while its Patroni sees no leader",
         "4.0.4",
         false,
         true,
         "sync_standby",
         false,
         sync_state::sync},
        {"the DCS, whatever it says", "3.0.2", true, false, "replica", true, sync_state::async},
        {"the DCS, quorum", "4.0.4", false, false, "quorum_standby", true, sync_state::quorum},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        story s;
        s.settle();
        auto w = replica();
        w.patroni_version = row.version;
        w.sync_standby = row.flag;
        w.cluster_unlocked = row.unlocked;
        w.replication_state = "streaming";
        s.listed("b").role_text = row.listed;
        row.by_dcs ? s.dcs("a") : s.lock("a");
        s.says("b", w).decide();

        CHECK(s.believed.find("b")->sync == row.is);
        CHECK(s.believed.find("a")->sync == sync_state::unknown);
    }
}

TEST_CASE("tags are the member's own, or those its key carries while it is silent")
{
    story s;
    s.settle();
    s.listed("b").tags = {{"zone", "old"}};
    auto w = replica();
    w.tags = {{"zone", "new"}};
    s.lock("a").says("b", w).decide();
    CHECK(s.believed.find("b")->tags.at("zone") == "new");

    s.silent("b").decide();
    CHECK(s.believed.find("b")->tags.at("zone") == "old");

    s.dcs_lost().decide(); // nobody says anything: what was known stays
    CHECK(s.believed.find("b")->tags.at("zone") == "old");
}

TEST_CASE("times are read in the spellings of all versions")
{
    using std::chrono::milliseconds;
    const auto noon = parse_timestamp("2024-08-28 12:00:00+00:00");
    REQUIRE(noon);
    const auto after_noon = [&](const char* text) -> std::optional<milliseconds>
    {
        const auto t = parse_timestamp(text);
        if (!t)
            return std::nullopt;
        return *t - *noon;
    };
    CHECK((after_noon("2024-08-28 12:00:00.352526+00:00") == 352ms));
    CHECK((after_noon("2024-08-28T12:00:01.5Z") == 1500ms));
    CHECK((after_noon("2024-08-28 14:00:00+02") == 0ms));
    CHECK((after_noon("2024-08-28 06:30:00-0530") == 0ms));
    CHECK((after_noon("2024-08-28 12:00:00.007 UTC") == 7ms));
    CHECK((after_noon("2024-08-29 12:00:00 GMT") == 24h));
    for (const char* bad :
         {"",
          "2024-08-28",
          "2024-08-28 12:00:00",
          "2024-08-28 12:00:00 CEST",
          "2024-02-30 12:00:00Z",
          "2024-00-10 12:00:00Z",
          "2024-08-28 24:00:00Z",
          "2024-08-28 12:00:00+02:0",
          "2024-08-28 12:00:00Z more",
          "99999-08-28 12:00:00Z",
          "2024-08-28 12:00:00.-5Z"})
    {
        CAPTURE(bad);
        CHECK_FALSE(parse_timestamp(bad));
    }
}

TEST_SUITE_END();
