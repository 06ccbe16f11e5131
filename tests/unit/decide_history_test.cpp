// SPDX-License-Identifier: PostgreSQL
//
// A primary that belongs to another history is never opened, whoever vouches for it.
#include "health/decide.hpp"

#include "tests/support/evidence_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace rolegate::support;

TEST_SUITE_BEGIN("health/decide");

TEST_CASE("a primary on an older timeline than one opened before is never opened again")
{
    story s;
    s.settle("b", 2);

    SUBCASE("although it holds the lock")
    {
        s.lock("a").says("a", primary(1)).decide();
        CHECK(write_of(s.believed, "a") == "closed old-timeline");
        CHECK(write_of(s.believed, "b") == "closed lock-elsewhere");
    }
    SUBCASE("although failsafe mode is active")
    {
        s.no_lock().says("a", failsafe_primary(1)).decide();
        CHECK(write_of(s.believed, "a") == "closed no-lock");
    }
    SUBCASE("although nobody can read the DCS and it claims the lock")
    {
        s.dcs_lost().silent("b").claims("a", primary(1)).decide();
        CHECK(write_of(s.believed, "a") == "closed lock-unknown");
        CHECK(write_of(s.believed, "b") == "keep lock-unknown");
    }
    SUBCASE("and is opened when it has followed")
    {
        s.lock("a").says("a", primary(2)).decide();
        CHECK(write_of(s.believed, "a") == "open lock-and-word");
    }
    CHECK(s.believed.highest_timeline == 2);
}

TEST_CASE("a primary that does not say its timeline stays open, but is not newly opened")
{
    auto no_timeline = primary();
    no_timeline.timeline.reset();
    story s;
    s.settle();

    s.lock("a").says("a", no_timeline).decide();
    CHECK(write_of(s.believed, "a") == "open lock-and-word");

    s.after(1s).lock("b").says("b", no_timeline).decide();
    CHECK(write_of(s.believed, "a") == "closed lock-elsewhere");
    CHECK(write_of(s.believed, "b") == "keep timeline-unknown");

    s.after(50ms).says("b", primary(2)).decide();
    CHECK(write_of(s.believed, "b") == "open lock-and-word");

    story first;
    first.lock("a").says("a", no_timeline).decide();
    CHECK(write_of(first.believed, "a") == "open lock-and-word");
}

TEST_CASE("a primary with another system identifier is never opened")
{
    auto foreign = primary(9);
    foreign.database_system_identifier = "7999999999999999999";
    auto nameless = primary();
    nameless.database_system_identifier.clear();
    story s;
    s.settle();
    CHECK(s.believed.system_identifier == our_system);

    s.lock("a").says("a", foreign).decide();
    CHECK(write_of(s.believed, "a") == "closed other-system");
    CHECK(s.believed.find("a")->write.reason.find("restart Rolegate") != std::string::npos);

    s.after(1s).no_lock();
    foreign.failsafe_mode_is_active = true;
    s.says("a", foreign).decide();
    CHECK(write_of(s.believed, "a") == "closed no-lock");

    s.dcs_lost().claims("a", foreign).decide();
    CHECK(write_of(s.believed, "a") == "closed lock-unknown");
    CHECK(s.believed.highest_timeline == 1);

    s.after(1s).lock("a").says("a", nameless).decide();
    CHECK(write_of(s.believed, "a") == "open lock-and-word");
    CHECK(s.believed.system_identifier == our_system);
}
