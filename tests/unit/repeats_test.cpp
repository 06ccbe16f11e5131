// SPDX-License-Identifier: PostgreSQL
#include "proxy/repeats.hpp"

#include <doctest/doctest.h>

using namespace rolegate::proxy;
using namespace std::chrono_literals;
using rolegate::config::log_level;

namespace
{

constexpr repeats::time_point begin{1000h};

// How often it was kept back before; -1: it is kept back.
int note(repeats& r, std::string_view what, repeats::time_point now, unsigned at_most = 1)
{
    const auto n = r.note(what, log_level::warning, at_most, now);
    return n ? static_cast<int>(*n) : -1;
}

} // namespace

TEST_SUITE_BEGIN("proxy/repeats");

TEST_CASE("the same is said once in a window, and then how often it was kept back")
{
    repeats r(10s);
    CHECK(note(r, "a", begin) == 0);
    CHECK(note(r, "a", begin) == -1);
    CHECK(note(r, "b", begin + 1s) == 0);
    CHECK(note(r, "a", begin + 9999ms) == -1);

    CHECK(note(r, "a", begin + 10s) == 2);
    CHECK(note(r, "a", begin + 11s) == -1);
    CHECK(note(r, "a", begin + 20s) == 1);
    CHECK(note(r, "a", begin + 40s) == 0);
}

TEST_CASE("some things are worth more than one line")
{
    repeats r(10s);
    for (int i = 0; i < 3; ++i)
        CHECK(note(r, "a", begin, 3) == 0);
    CHECK(note(r, "a", begin, 3) == -1);
    CHECK(note(r, "a", begin + 10s, 3) == 1);
    CHECK(note(r, "a", begin + 10s, 3) == 0);
}

TEST_CASE("when it stops, what was kept back is told")
{
    repeats r(10s);
    note(r, "a", begin);
    note(r, "a", begin + 1s);
    note(r, "a", begin + 2s);
    note(r, "once", begin);

    CHECK(r.ended(begin + 9s).empty());
    const auto ended = r.ended(begin + 10s);
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].what == "a");
    CHECK(ended[0].level == log_level::warning);
    CHECK(ended[0].count == 2);
    CHECK(r.ended(begin + 30s).empty());
    CHECK(note(r, "a", begin + 11s) == 0);
}

TEST_CASE("at the end everything is told at once")
{
    repeats r(10s);
    note(r, "a", begin);
    note(r, "a", begin);
    CHECK(r.all().size() == 1);
    CHECK(r.all().empty());
}

TEST_CASE("what is remembered is bounded")
{
    repeats r(10s);
    for (std::size_t i = 0; i < repeats::most_kept; ++i)
        REQUIRE(note(r, std::to_string(i), begin) == 0);
    for (int i = 0; i < 5000; ++i)
        REQUIRE(note(r, "more " + std::to_string(i), begin) == -1);
    CHECK(note(r, "7", begin) == -1);

    auto ended = r.ended(begin + 10s);
    REQUIRE(ended.size() == 2);
    CHECK(ended[0].what == "7");
    CHECK(ended[1].what == "more 0");
    CHECK(ended[1].count == 5000);
    CHECK(note(r, "more 1", begin + 10s) == 0);
}
