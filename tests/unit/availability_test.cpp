// SPDX-License-Identifier: PostgreSQL
#include "proxy/availability.hpp"

#include "tests/support/sample_view.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using health::admission;
using namespace std::chrono_literals;

namespace
{

const auto start = support::sample_now;

health::topology with_primary(admission verdict)
{
    auto t = support::sample_topology();
    t.members[0].grants[0].verdict = verdict;
    return t;
}

} // namespace

TEST_SUITE_BEGIN("proxy/availability");

TEST_CASE("losses and the time without a member are counted for it and for the listener")
{
    proxy::availability a;
    a.on_topology(with_primary(admission::open), start);
    a.on_topology(with_primary(admission::open), start + 5s);
    a.on_topology(with_primary(admission::keep), start + 10s);
    a.on_topology(with_primary(admission::closed), start + 12s); // still not open
    a.on_topology(with_primary(admission::open), start + 13s);
    a.on_topology(with_primary(admission::closed), start + 20s);

    for (const auto* member : {"pg-1", ""})
    {
        CAPTURE(member);
        const auto& r = a.records().at({"write", member});
        CHECK_FALSE(r.open);
        CHECK(r.since == start + 20s);
        CHECK(r.losses == 2);
        CHECK(r.closed_for(start + 24s) == 3s + 4s);
    }
    // Never open, and that is no loss.
    const auto& other = a.records().at({"write", "pg-2"});
    CHECK(other.losses == 0);
    CHECK(other.closed_for(start + 24s) == 24s);
    // Another listener has its own.
    const auto& reader = a.records().at({"read", "pg-2"});
    CHECK(reader.open);
    CHECK(reader.closed_for(start + 24s) == 0s);
}

TEST_CASE("a member that has gone is forgotten, and is no loss when it comes again")
{
    proxy::availability a;
    auto t = support::sample_topology();
    a.on_topology(t, start);
    t.members.pop_back();
    a.on_topology(t, start + 1s);
    CHECK_FALSE(a.records().contains({"read", "pg-3"}));

    a.on_topology(support::sample_topology(), start + 2s);
    CHECK(a.records().at({"read", "pg-3"}).since == start + 2s);
}

TEST_CASE("a listener that has gone is forgotten, and a place without one is nobody's")
{
    proxy::availability a;
    auto t = support::sample_topology();
    a.on_topology(t, start);
    t.listeners = {"", "read"};
    a.on_topology(t, start + 1s);
    CHECK_FALSE(a.records().contains({"write", "pg-1"}));
    CHECK_FALSE(a.records().contains({"write", ""}));
    CHECK_FALSE(a.records().contains({"", "pg-1"}));
    CHECK(a.records().at({"read", "pg-2"}).since == start);
}

TEST_SUITE_END();
