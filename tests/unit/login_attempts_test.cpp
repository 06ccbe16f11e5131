// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/login_attempts.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using rolegate::proxy::admin::login_attempts;
using namespace std::chrono_literals;

namespace
{

constexpr login_attempts::time_point start{1000h};

std::size_t tries_of(login_attempts& a, const std::string& from, login_attempts::time_point now)
{
    std::size_t n = 0;
    while (n < 1000 && a.may_try(from, now))
        ++n;
    return n;
}

} // namespace

TEST_SUITE_BEGIN("proxy/admin/login_attempts");

TEST_CASE("each address has tries of its own, and gets them back")
{
    login_attempts a(1, 10);

    CHECK(tries_of(a, "10.0.0.1", start) == 10);
    CHECK(tries_of(a, "10.0.0.1", start) == 0);
    CHECK(tries_of(a, "10.0.0.2", start) == 10);
    CHECK(tries_of(a, "unix", start) == 10);
    CHECK(tries_of(a, "10.0.0.1", start + 3s) == 3);
    CHECK(tries_of(a, "10.0.0.1", start + 1h) == 10);
}

TEST_CASE("a host with a network of IPv6 is one source")
{
    login_attempts a(1, 10);

    CHECK(tries_of(a, "fd00::1", start) == 10);
    CHECK(tries_of(a, "fd00::ffff:2", start) == 0);
    CHECK(tries_of(a, "fd00:0:0:1::1", start) == 10);
    CHECK(tries_of(a, "::ffff:10.0.0.1", start) == 10);
    CHECK(tries_of(a, "10.0.0.1", start) == 0);
}

TEST_CASE("however many addresses there are, the table is bounded and forgets who was quiet")
{
    login_attempts a(1, 10);
    CHECK(tries_of(a, "10.9.9.9", start) == 10);
    const auto address = [](std::size_t i)
    { return "10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256); };
    for (std::size_t i = 0; i < login_attempts::most_sources - 1; ++i)
        CHECK(a.may_try(address(i), start + 1s));
    CHECK(a.sources() == login_attempts::most_sources);
    CHECK_FALSE(a.may_try("10.9.9.9", start));

    // Nobody has all tries again: whoever came longest ago goes.
    CHECK(a.may_try("10.2.0.1", start + 2s));
    CHECK(a.sources() == login_attempts::most_sources);
    CHECK(tries_of(a, address(1), start + 2s) == 10);

    // Now all but the last two have.
    CHECK(a.may_try("10.2.0.2", start + 11s + 500ms));
    CHECK(a.sources() == 3);
}

TEST_CASE("one address does not take all places for checking")
{
    login_attempts a(1, 1000);
    const auto take = [&a](const std::string& from) { return a.take_place(from, start); };
    std::vector<login_attempts::place> taken;
    for (int i = 0; i < login_attempts::most_places_of_one; ++i)
        CHECK(taken.emplace_back(take("10.0.0.1")));
    CHECK_FALSE(take("10.0.0.1"));
    constexpr auto for_all = login_attempts::most_places - login_attempts::kept_places;
    for (int i = login_attempts::most_places_of_one; i < for_all; ++i)
        CHECK(taken.emplace_back(take("10.0.1." + std::to_string(i))));
    CHECK_FALSE(take("10.0.0.2"));

    taken.clear();
    CHECK(take("10.0.0.2"));
    CHECK(take("10.0.0.1"));
}

TEST_CASE("however many guess, there are places for whoever has had the right password lately")
{
    login_attempts a(1, 10);
    a.was_right("10.0.0.1", start);
    std::vector<login_attempts::place> taken;
    const auto guess_from_everywhere = [&]
    {
        for (int i = 0; i < 100; ++i)
            if (auto place = a.take_place("10.0.1." + std::to_string(i), start))
                taken.push_back(std::move(place));
    };

    guess_from_everywhere();
    constexpr auto for_all = login_attempts::most_places - login_attempts::kept_places;
    CHECK(taken.size() == static_cast<std::size_t>(for_all));
    for (int i = 0; i < login_attempts::kept_places; ++i)
        CHECK(taken.emplace_back(a.take_place("10.0.0.1", start)));
    CHECK_FALSE(a.take_place("10.0.0.1", start));

    // Whose password was right longest ago is forgotten.
    for (std::size_t i = 0; i < login_attempts::most_right; ++i)
        a.was_right("10.0.2." + std::to_string(i), start + 1s);
    taken.clear();
    guess_from_everywhere();
    CHECK_FALSE(a.take_place("10.0.0.1", start));
    CHECK(a.take_place("10.0.2.0", start));
}

TEST_CASE("whoever finds no place has lost no try")
{
    login_attempts a(1, 2);
    std::vector<login_attempts::place> taken;
    for (int i = 0; i < login_attempts::most_places; ++i)
        taken.push_back(a.take_place("10.0.1." + std::to_string(i), start));
    CHECK_FALSE(a.take_place("10.0.0.1", start));
    CHECK(tries_of(a, "10.0.0.1", start) == 2);
}

TEST_SUITE_END();
