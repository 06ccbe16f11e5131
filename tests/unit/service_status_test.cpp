// SPDX-License-Identifier: PostgreSQL
#include "proxy/service_status.hpp"

#include "tests/support/topology_builder.hpp"

#include <doctest/doctest.h>

#include <memory>

using namespace rolegate;
using namespace std::chrono_literals;
using support::topology_builder;

namespace
{

const health::time_point confirmed{1000h};

health::topology_ptr cluster(const std::string& name, const std::string& primary = "")
{
    topology_builder b;
    if (!primary.empty())
        b.primary(primary);
    auto t = b.replica("r").build();
    t.cluster = name;
    return std::make_shared<const health::topology>(std::move(t));
}

health::topology_ptr unseen(const std::string& name)
{
    health::topology t;
    t.cluster = name;
    return std::make_shared<const health::topology>(std::move(t));
}

std::string line(
    const std::vector<health::topology_ptr>& clusters,
    std::size_t sessions = 0,
    health::time_point now = confirmed + 1s
)
{
    return proxy::service_status(clusters, sessions, false, now);
}

} // namespace

TEST_SUITE("the process in one line")
{
    TEST_CASE("one cluster")
    {
        CHECK(line({cluster("main", "pg-1")}, 120) == "1 cluster, primary pg-1, 120 sessions");
        CHECK(line({cluster("main", "pg-1")}, 1) == "1 cluster, primary pg-1, 1 session");
        CHECK(line({cluster("main")}) == "1 cluster, main: no primary, 0 sessions");
        CHECK(line({unseen("main")}) == "1 cluster, main: not seen yet, 0 sessions");
        const auto late = confirmed + 1h;
        CHECK(line({cluster("main", "a")}, 0, late) == "1 cluster, main: stale, 0 sessions");
    }

    TEST_CASE("several are counted, and those in trouble named")
    {
        CHECK(
            line({cluster("a", "x"), cluster("b", "y"), unseen("shop")}, 7) ==
            "3 clusters, 2 with a primary, shop: not seen yet, 7 sessions"
        );
    }

    TEST_CASE("however many are in trouble, it stays a line")
    {
        const std::vector<health::topology_ptr> many(200, unseen("c"));
        CHECK(
            line(many) == "200 clusters, c: not seen yet, c: not seen yet, c: not seen yet, "
                          "197 more, 0 sessions"
        );
    }

    TEST_CASE("members without roles have no primary to miss")
    {
        auto t = topology_builder().replica("r").build();
        t.kind = health::cluster_kind::tcp;
        const std::vector<health::topology_ptr> tcp{std::make_shared<const health::topology>(t)};
        CHECK(line(tcp, 3) == "1 cluster, 3 sessions");
        CHECK(proxy::service_status(tcp, 3, true, confirmed) == "1 cluster, 3 sessions, stopping");
    }
}
