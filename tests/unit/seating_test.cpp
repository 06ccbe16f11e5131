// SPDX-License-Identifier: PostgreSQL
#include "proxy/seating.hpp"

#include <doctest/doctest.h>

using rolegate::config::listener_role;
using rolegate::proxy::seating;

namespace
{

seating::demand wants(const std::string& listener, listener_role role)
{
    seating::demand d;
    d.listener = listener;
    d.wants.role = role;
    return d;
}

seating::demand nameless(seating::demand d)
{
    d.listener.clear();
    return d;
}

const auto writing = wants("write", listener_role::primary);
const auto reading = wants("read", listener_role::replica);
const auto any = wants("read", listener_role::any);

} // namespace

TEST_SUITE_BEGIN("proxy/seating");

TEST_CASE("the same demand has the same seat, another one another")
{
    seating s(7);
    const auto a = s.take(writing);
    const auto b = s.take(reading);
    CHECK(a->cluster == 7);
    CHECK(a->index == 0);
    CHECK(b->index == 1);
    CHECK(s.take(writing) == a);
    CHECK(s.demands() == std::vector{writing, reading});
}

TEST_CASE("a seat stays what it is while anybody refers to it, then it is the next one's")
{
    seating s(0);
    auto a = s.take(writing);
    const auto b = s.take(reading);
    const auto old = a;
    a = s.take(any);
    CHECK(a->index == 2);
    CHECK(old->index == 0);
    // It is judged as before, but that is not the listener any more.
    CHECK(s.demands() == std::vector{writing, nameless(reading), any});

    a.reset();
    auto c = s.take(writing);
    CHECK(c == old);
    CHECK(s.take(any)->index == 2);
    CHECK(s.demands().size() == 3);
}

TEST_CASE("a listener's name stands once, where the seat is that was taken last")
{
    seating s(0);
    const auto session = s.take(reading);
    auto next = s.take(any);
    CHECK(s.demands() == std::vector{nameless(reading), any});

    // Back to what it was.
    CHECK(s.take(reading) == session);
    CHECK(s.demands() == std::vector{reading, nameless(any)});

    // Forward again, and the configuration is refused.
    next = s.take(any);
    next.reset();
    CHECK(s.demands() == std::vector{reading, nameless(any)});
    CHECK(s.tidy());
    CHECK(s.demands() == std::vector{reading});
}

TEST_CASE("nothing grows with the number of demands that have come and gone")
{
    seating s(0);
    const auto kept = s.take(writing);
    auto changing = s.take(reading);
    for (int i = 0; i < 1000; ++i)
    {
        auto d = reading;
        d.wants.lag_dwell = std::chrono::milliseconds(i);
        auto next = s.take(d); // while the one before is in use still
        changing = std::move(next);
    }
    CHECK(s.demands().size() <= 3);
    CHECK(kept->index == 0);
}

TEST_CASE("after a burst of demands it is as small as before")
{
    seating s(0);
    const auto numbered = [](int i)
    {
        auto d = reading;
        d.wants.lag_dwell = std::chrono::milliseconds(i);
        return d;
    };
    std::vector<rolegate::proxy::seat_ptr> sessions{s.take(writing)};
    for (int i = 0; i < 1000; ++i)
        sessions.push_back(s.take(numbered(i)));
    CHECK(s.demands().size() == 1001);

    // Only the first and the last are configured still; what nobody demands needs no verdict.
    auto first = sessions.front();
    auto last = sessions.back();
    sessions.clear();
    CHECK(s.tidy());
    CHECK_FALSE(s.tidy());
    REQUIRE(s.demands().size() == 1001);
    CHECK(s.demands()[500] == seating::demand{});
    CHECK(s.demands()[1000] == numbered(999));

    // The next reload lets it move, and the one after that leaves it alone.
    const auto moved = s.take(numbered(999));
    CHECK(moved->index == 1);
    CHECK(s.take(writing) == first);
    CHECK(last->index == 1000); // for sessions that began with it
    last.reset();
    CHECK(s.tidy());
    CHECK(s.demands() == std::vector{writing, numbered(999)});
    CHECK(s.take(numbered(999)) == moved);
}

TEST_CASE("a few places that are free move nobody")
{
    seating s(0);
    auto gone = s.take(writing);
    const auto stays = s.take(reading);
    gone.reset();
    CHECK(s.take(reading) == stays);
    CHECK(s.tidy());
    CHECK(s.demands() == std::vector{seating::demand{}, reading});
    CHECK(s.take(any)->index == 0);
}

TEST_CASE("it is empty when the last one has gone")
{
    seating s(0);
    CHECK(s.empty());
    auto a = s.take(writing);
    CHECK_FALSE(s.empty());
    a.reset();
    CHECK(s.empty());
}

TEST_SUITE_END();
