// SPDX-License-Identifier: PostgreSQL
#include "health/dcs/guard.hpp"

#include <doctest/doctest.h>

#include <vector>

using rolegate::health::dcs::guard;

TEST_SUITE_BEGIN("health/dcs/guard");

TEST_CASE("an answer from another cluster or from the past is refused, and changes nothing")
{
    struct mark
    {
        const char* cluster_id;
        std::uint64_t term;
        const char* objection;
    };
    const struct
    {
        const char* name;
        std::vector<mark> marks;
    } rows[] = {
        {"the same cluster, term after term", {{"1", 2, ""}, {"1", 2, ""}, {"1", 3, ""}}},
        {"another cluster",
         {{"1", 2, ""}, {"2", 9, "answers as DCS cluster 2, so far it was 1"}, {"1", 2, ""}}},
        {"a server that a partition has left behind",
         {{"1", 5, ""}, {"1", 4, "lives in the past: raft term 4, so far 5"}, {"1", 5, ""}}},
        {"what was refused is not remembered",
         {{"1", 5, ""},
          {"2", 9, "answers as DCS cluster 2, so far it was 1"},
          {"1", 6, ""},
          {"1", 5, "lives in the past: raft term 5, so far 6"}}},
        {"nothing is told: nothing speaks against it", {{"", 0, ""}, {"1", 5, ""}, {"", 0, ""}}},
        {"a cluster without a term (etcd's API v2)",
         {{"1", 0, ""}, {"1", 0, ""}, {"2", 0, "answers as DCS cluster 2, so far it was 1"}}},
        {"what is told once stays known",
         {{"1", 5, ""}, {"", 0, ""}, {"1", 4, "lives in the past: raft term 4, so far 5"}}},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        guard g;
        for (const auto& m : row.marks)
            CHECK(g.admit(m.cluster_id, m.term) == m.objection);
    }
}

TEST_CASE("a DCS that was built anew is accepted once the old one is forgotten")
{
    guard g;
    CHECK(g.admit("1", 7) == "");
    CHECK(g.admit("2", 1) != "");

    g.forget();

    CHECK(g.admit("2", 1) == "");
    CHECK(g.admit("1", 7) != "");
}

TEST_SUITE_END();
