// SPDX-License-Identifier: PostgreSQL
#include "proxy/log_queue.hpp"

#include <doctest/doctest.h>

using rolegate::proxy::log_queue;

namespace
{

// Two of these and a half fit into 1000 bytes.
const std::string line = std::string(399 - sizeof(std::string), 'x') + "\n";

} // namespace

TEST_SUITE_BEGIN("proxy/log_queue");

TEST_CASE("lines come out whole, and in their order")
{
    log_queue q(100'000);
    CHECK(q.empty());
    CHECK(q.push("one\n", false));
    CHECK(q.push("two\n", true));
    CHECK(q.push("three\n", false));

    CHECK(q.take(13) == "one\ntwo\n");
    CHECK_FALSE(q.empty());
    CHECK(q.take(1) == "three\n");
    CHECK(q.take(1) == "");
    CHECK(q.empty());
    CHECK(q.dropped() == 0);
}

TEST_CASE("what has no room is lost and counted, and taking makes room again")
{
    log_queue q(1000);
    CHECK(q.has_room());
    CHECK(q.push(line, false));
    CHECK_FALSE(q.push(line, false)); // a quarter is kept for what matters
    CHECK(q.dropped() == 1);
    CHECK(q.push(line, true));
    CHECK_FALSE(q.push(line, true));
    CHECK(q.dropped() == 2);
    CHECK_FALSE(q.has_room());

    CHECK(q.take(1) == line);
    CHECK(q.has_room());
    CHECK(q.push(line, true));
    CHECK(q.take(10'000) == line + line);
    CHECK(q.push(line, false));
    CHECK(q.dropped() == 2);
}
