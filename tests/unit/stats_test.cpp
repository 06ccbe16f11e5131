// SPDX-License-Identifier: PostgreSQL
#include "proxy/stats.hpp"

#include <doctest/doctest.h>

#include <numeric>

using namespace rolegate::proxy;

namespace
{

std::uint64_t total(const histogram& h)
{
    return std::accumulate(h.counts.begin(), h.counts.end(), std::uint64_t{0});
}

} // namespace

TEST_SUITE_BEGIN("proxy/stats");

TEST_CASE("a duration is counted in the first bucket that is not below it")
{
    const struct
    {
        double seconds;
        std::size_t bucket;
    } rows[] = {
        {0, 0},
        {0.0005, 0}, // a bound belongs to its own bucket: Prometheus's le
        {0.00051, 1},
        {1, 7},
        {1.5, 8},
        {86400, 13},
        {86401, 14},
        {1e12, 14},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.seconds);
        histogram h;

        h.observe(row.seconds);

        CHECK(h.counts[row.bucket] == 1);
        CHECK(total(h) == 1);
        CHECK(h.sum == row.seconds);
    }
}

TEST_CASE("the workers' copies add up, whatever each of them has met")
{
    worker_stats a;
    a[0].members["pg-1"].sessions = 3;
    a[0].members["pg-1"].ended["--"] = 10;
    a[0].members["pg-1"].bytes_in = 100;
    a[0].members["pg-1"].connect_seconds.observe(0.5);
    a[0].held = 1;
    a[0].hold_seconds["routed"].observe(1);
    worker_stats b;
    b[0].members["pg-1"].sessions = 4;
    b[0].members["pg-1"].ended["SD"] = 1;
    b[0].members["pg-1"].shut_down["role_lost"] = 2;
    b[0].members["pg-1"].bytes_in = 11;
    b[0].members["pg-1"].bytes_out = 7;
    b[0].members["pg-1"].connect_seconds.observe(0.5);
    b[0].members["pg-2"].sessions = 5;
    b[0].held = 2;
    b[0].hold_seconds["timeout"].observe(10);
    b[0].handshake_rejects["startup_malformed"] = 1;
    b[0].cancel_requests["offered"] = 1;
    b[1].session_seconds.observe(3);

    worker_stats sum;
    merge(sum, a);
    merge(sum, b);

    REQUIRE(sum.size() == 2);
    const auto& pg1 = sum[0].members["pg-1"];
    CHECK(pg1.sessions == 7);
    CHECK(pg1.ended == std::map<std::string, std::uint64_t>{{"--", 10}, {"SD", 1}});
    CHECK(pg1.shut_down == std::map<std::string, std::uint64_t>{{"role_lost", 2}});
    CHECK(pg1.bytes_in == 111);
    CHECK(pg1.bytes_out == 7);
    CHECK(total(pg1.connect_seconds) == 2);
    CHECK(pg1.connect_seconds.sum == 1.0);
    CHECK(sum[0].members["pg-2"].sessions == 5);
    CHECK(sum[0].held == 3);
    CHECK(sum[0].hold_seconds["routed"].sum == 1);
    CHECK(sum[0].hold_seconds["timeout"].sum == 10);
    CHECK(sum[0].handshake_rejects["startup_malformed"] == 1);
    CHECK(sum[0].cancel_requests["offered"] == 1);
    CHECK(sum[1].session_seconds.sum == 3);
}

TEST_CASE("of a mean early values fade, and workers' means add up")
{
    recent_mean a;
    CHECK(a.mean() == 0);
    a.observe(2);
    a.observe(4);
    CHECK(a.mean() == doctest::Approx(3));
    for (int i = 0; i < 20000; ++i)
        a.observe(10);
    CHECK(a.mean() == doctest::Approx(10));

    worker_stats all;
    worker_stats one;
    one[0].members["m"].total_seconds.observe(1);
    one[0].members["m"].failed = 2;
    merge(all, one);
    one[0].members["m"].total_seconds.observe(4);
    merge(all, one);
    const auto& m = all[0].members["m"];
    CHECK(m.total_seconds.mean() == doctest::Approx(2));
    CHECK(m.total_seconds.most == 4);
    CHECK(m.failed == 4);
}

TEST_SUITE_END();
