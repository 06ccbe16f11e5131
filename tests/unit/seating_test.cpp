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
    CHECK(s.demands() == std::vector{writing, reading, any});

    a.reset();
    auto c = s.take(writing);
    CHECK(c == old);
    CHECK(s.take(any)->index == 2);
    CHECK(s.demands().size() == 3);
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
