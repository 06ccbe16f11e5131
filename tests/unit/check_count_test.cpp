// SPDX-License-Identifier: PostgreSQL
#include "health/check_count.hpp"

#include <doctest/doctest.h>

using rolegate::config::check_settings;
using rolegate::health::check_count;
using namespace std::chrono_literals;

namespace
{

check_settings counting(unsigned rise, unsigned fall)
{
    check_settings s;
    s.inter = 1000ms;
    s.fastinter = 200ms;
    s.downinter = 5000ms;
    s.rise = rise;
    s.fall = fall;
    return s;
}

check_count after(unsigned rise, unsigned fall, const std::string& results)
{
    check_count c(counting(rise, fall));
    for (const char r : results)
        r == '+' ? c.good() : c.bad();
    return c;
}

// HAProxy's status behind each check, "," between them.
std::string trace(unsigned rise, unsigned fall, const std::string& results)
{
    check_count c(counting(rise, fall));
    std::string out = c.text();
    for (const char r : results)
    {
        r == '+' ? c.good() : c.bad();
        out += "," + c.text();
    }
    return out;
}

} // namespace

TEST_SUITE_BEGIN("health/check_count");

// H-175 to H-178.
TEST_CASE("checks are counted as HAProxy counts them")
{
    struct row
    {
        unsigned rise;
        unsigned fall;
        std::string results; // + good, - bad
        std::string statuses;
    };
    const row rows[] = {
        // At first one bad check is enough, and one good one.
        {2, 3, "-", "UP 1/3,DOWN"},
        {2, 3, "+", "UP 1/3,UP"},
        // The trace of HAProxy 2.6 with rise 2 and fall 3.
        {2, 3, "+---++", "UP 1/3,UP,UP 2/3,UP 1/3,DOWN,DOWN 1/2,UP"},
        // One of the other kind begins the count anew.
        {2, 3, "+--+---", "UP 1/3,UP,UP 2/3,UP 1/3,UP,UP 2/3,UP 1/3,DOWN"},
        {3, 2, "-++-+++", "UP 1/2,DOWN,DOWN 1/3,DOWN 2/3,DOWN,DOWN 1/3,DOWN 2/3,UP"},
        {2, 3, "+----", "UP 1/3,UP,UP 2/3,UP 1/3,DOWN,DOWN"},
        {1, 1, "+-+", "UP,UP,DOWN,UP"},
        {1, 3, "-+--", "UP 1/3,DOWN,UP,UP 2/3,UP 1/3"},
        {4, 1, "+-++++", "UP,UP,DOWN,DOWN 1/4,DOWN 2/4,DOWN 3/4,UP"},
    };
    for (const row& r : rows)
    {
        CAPTURE(r.rise);
        CAPTURE(r.fall);
        CAPTURE(r.results);
        CHECK(trace(r.rise, r.fall, r.results) == r.statuses);
    }
}

// H-179.
TEST_CASE("the pause before the next check is HAProxy's")
{
    struct row
    {
        std::string results;
        std::chrono::milliseconds pause;
    };
    const row rows[] = {
        {"", 200ms}, // neither up nor down for certain
        {"+", 1000ms},
        {"-", 5000ms},
        {"+-", 200ms},
        {"+--", 200ms},
        {"+---", 5000ms},
        {"+---+", 200ms},
        {"+---++", 1000ms},
        {"+---+-", 5000ms},
    };
    for (const row& r : rows)
    {
        CAPTURE(r.results);
        CHECK(after(2, 3, r.results).pause() == r.pause);
    }
    // With `fall: 1` there is no going down.
    CHECK(after(1, 1, "").pause() == 1000ms);
}

TEST_CASE("what is not set is as inter")
{
    check_settings s;
    s.inter = 7s;
    check_count c(s);
    CHECK(c.pause() == 7s);
    c.bad();
    CHECK(c.text() == "DOWN");
    CHECK(c.pause() == 7s);
    c.good();
    CHECK(c.text() == "DOWN 1/2");
    CHECK(c.pause() == 7s);
}

TEST_CASE("a million bad checks are no more than enough")
{
    check_count c(counting(2, 3));
    for (int i = 0; i < 1'000'000; ++i)
        c.bad();
    c.good();
    CHECK_FALSE(c.is_up());
    c.good();
    CHECK(c.is_up());
    for (int i = 0; i < 1'000'000; ++i)
        c.good();
    c.bad();
    c.bad();
    CHECK(c.is_up());
    c.bad();
    CHECK_FALSE(c.is_up());
}

TEST_CASE("the reason says how many checks said so")
{
    struct row
    {
        std::string results;
        std::string reason;
    };
    const row rows[] = {
        {"", "not checked yet"},
        {"+", "the last check passed"},
        {"-", "the last check failed: refused"},
        {"+-", "1 of 3 checks failed: refused"},
        {"+--", "2 of 3 checks failed: refused"},
        {"+--+", "the last check passed"},
        {"+---", "3 of 3 checks failed: refused"},
        {"+-----", "3 of 3 checks failed: refused"},
        {"+---+", "1 of 2 checks passed"},
        {"+---++", "the last check passed"},
        {"+---+-", "the last check failed: refused"},
    };
    for (const row& r : rows)
    {
        CAPTURE(r.results);
        const auto c = after(2, 3, r.results);
        CHECK(c.reason("refused") == r.reason);
        CHECK(c.is_known() == !r.results.empty());
    }
}

TEST_SUITE_END();
