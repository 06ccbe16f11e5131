// SPDX-License-Identifier: PostgreSQL
#include "proxy/settings_wait.hpp"

#include <doctest/doctest.h>

using rolegate::health::time_point;
using rolegate::proxy::settings_wait;
using news = settings_wait::news;
using namespace std::chrono_literals;

namespace
{

constexpr time_point start{1000h};
constexpr auto usual = 5000ms;

} // namespace

TEST_SUITE_BEGIN("proxy/settings_wait");

TEST_CASE("a wait of the usual length is no news")
{
    settings_wait w;
    CHECK(w.look({}, usual, start) == news::none);
    CHECK(w.look(start, usual, start) == news::none);
    CHECK(w.look(start, usual, start + usual) == news::none);
    CHECK(w.look({}, usual, start + usual + 1s) == news::none);
}

TEST_CASE("a longer one is told, again once in a while, and when it is over")
{
    settings_wait w;
    int told = 0;
    const auto hour = start + 1h;
    for (auto now = start; now < hour; now += 1s)
        told += w.look(start, usual, now) == news::waits ? 1 : 0;
    CHECK(told == 6);
    CHECK(w.look({}, usual, hour) == news::over);
    CHECK(w.since() == start);
    CHECK(w.look({}, usual, hour + 1s) == news::none);
}

TEST_CASE("settings that come in place of those that wait have a time of their own")
{
    settings_wait w;
    CHECK(w.look(start, usual, start + 6s) == news::waits);
    const auto later = start + 7s;
    CHECK(w.look(later, usual, later) == news::none);
    CHECK(w.look(later, usual, later + 6s) == news::waits);
    CHECK(w.since() == later);
    // Whoever was told of the first must learn that nothing waits any more, however short the last
    // ones' wait was: they were what mended it.
    CHECK(w.look(start + 20s, usual, start + 20s) == news::none);
    CHECK(w.look({}, usual, start + 21s) == news::over);
    CHECK(w.since() == start + 20s);
    CHECK(w.look({}, usual, start + 22s) == news::none);
}

TEST_SUITE_END();
