// SPDX-License-Identifier: PostgreSQL
#include "health/address_trials.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;

TEST_SUITE_BEGIN("health/address_trials");

TEST_CASE("addresses are tried in their order, until one has answered: that one comes first")
{
    address_trials t;
    CHECK(t.answered().empty());
    CHECK(t.begin({"a", "b", "c"}) == address_list{"a", "b", "c"});
    t.bad("a", "refused");
    t.good("b");

    CHECK(t.answered() == "b");
    CHECK(t.error().empty());
    CHECK(t.begin({"a", "b", "c"}) == address_list{"b", "c", "a"});
    CHECK(t.begin({"c", "a", "b"}) == address_list{"b", "c", "a"});
}

TEST_CASE("the others are those that have not failed")
{
    address_trials t;
    static_cast<void>(t.begin({"a", "b", "c"}));
    t.good("a");
    CHECK(t.others() == address_list{"b", "c"});

    static_cast<void>(t.begin({"a", "b", "c"}));
    t.bad("a", "refused");
    t.good("b");
    CHECK(t.others() == address_list{"c"});
    static_cast<void>(t.begin({"a", "b", "c"}));
    t.good("b");
    CHECK(t.others() == address_list{"c"}); // `a` is not forgiven without being tried

    CHECK(t.begin({"a", "b", "c"}) == address_list{"b", "c", "a"});
    t.bad("b", "refused");
    t.bad("c", "refused");
    t.good("a");
    CHECK(t.answered() == "a");
    CHECK(t.others().empty());
}

TEST_CASE("an address that the name has lost is neither tried nor remembered")
{
    address_trials t;
    static_cast<void>(t.begin({"a", "b"}));
    t.bad("a", "refused");
    t.good("b");

    CHECK(t.begin({"c"}) == address_list{"c"});
    t.good("c");
    CHECK(t.others().empty());
    CHECK(t.begin({"a", "c"}) == address_list{"c", "a"});
    t.good("c");
    CHECK(t.others() == address_list{"a"});
}

TEST_CASE("where no address is good each is told with what was wrong, a crowd by its first ones")
{
    address_trials t;
    CHECK(t.error().empty());
    static_cast<void>(t.begin({"a"}));
    t.bad("a", "refused");
    CHECK(t.error() == "refused");

    static_cast<void>(t.begin({"a", "b"}));
    CHECK(t.error().empty());
    t.bad("b", "timed out");
    t.bad("a", "refused");
    CHECK(t.error() == "b: timed out; a: refused");

    static_cast<void>(t.begin({"a", "b", "c", "d", "e"}));
    for (const auto* address : {"a", "b", "c", "d", "e"})
        t.bad(address, "no");
    CHECK(t.error() == "a: no; b: no; c: no; 2 more");
}

TEST_SUITE_END();
