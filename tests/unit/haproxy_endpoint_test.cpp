// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/endpoint.hpp"

#include "config/words.hpp"

#include <doctest/doctest.h>

using namespace rolegate::config;
using haproxy::endpoint_of;

namespace
{

std::string role_of(std::string_view uri)
{
    const auto e = endpoint_of(uri);
    return e ? word_of(listener_role_words, e->demand.role) : "none";
}

} // namespace

TEST_SUITE_BEGIN("config/haproxy/endpoint");

TEST_CASE("Patroni's endpoints are roles")
{
    for (const char* uri : {"/", "/primary", "/master", "/read-write", "/primary/"})
        CHECK_MESSAGE(role_of(uri) == "primary", uri);
    CHECK(role_of("/leader") == "leader");
    CHECK(role_of("/standby-leader") == "standby-leader");
    CHECK(role_of("/standby_leader") == "standby-leader");
    CHECK(role_of("/replica") == "replica");
    CHECK(role_of("/read-only") == "read-only");
    CHECK(role_of("/read-only-sync") == "read-only-sync");
    CHECK(role_of("/read-only-quorum") == "read-only-quorum");
    CHECK(role_of("/sync") == "sync");
    CHECK(role_of("/synchronous") == "sync");
    CHECK(role_of("/async") == "async");
    CHECK(role_of("/asynchronous") == "async");
    CHECK(role_of("/quorum") == "quorum");
    CHECK(role_of("/health") == "any");
    CHECK(role_of("/patroni") == "any");
    for (const char* uri : {"", "primary", "/is_master", "/primaryx", "/v2/keys"})
        CHECK_MESSAGE(role_of(uri) == "none", uri);
}

TEST_CASE("what others have as well does not prove that Patroni is asked")
{
    CHECK(endpoint_of("/primary")->distinct);
    CHECK(endpoint_of("/replica?lag=1MB")->distinct);
    CHECK_FALSE(endpoint_of("/")->distinct);
    CHECK_FALSE(endpoint_of("/health")->distinct);
}

TEST_CASE("the query is what is demanded of replicas")
{
    const auto e =
        endpoint_of("/replica?lag=10MB&tag_zone=a%20b&tag_x=1&replication_state=streaming");
    REQUIRE(e);
    CHECK(e->demand.lag == lag_limit<std::int64_t>{10 << 20, 5 << 20});
    CHECK(e->demand.tags == tag_map{{"x", "1"}, {"zone", "a b"}});
    CHECK(e->demand.replication_state == "streaming");
    CHECK(e->refused.empty());
    CHECK(endpoint_of("/async?lag=1048576")->demand.lag->leave == 1 << 20);
    CHECK(
        endpoint_of("/async?replication_state=in+archive%20recovery")->demand.replication_state ==
        "in archive recovery"
    );
}

TEST_CASE("a query that is not understood is refused, one that Patroni ignores is not")
{
    for (const char* uri :
         {"/replica?lag=",
          "/replica?lag=x",
          "/replica?lag=0",
          "/replica?other=1",
          "/replica?tag_=1",
          "/replica?tag_a=%0a",
          "/replica?tag_a=%zz",
          "/replica?replication_state=x"})
        CHECK_MESSAGE(endpoint_of(uri)->refused.size() == 1, uri);
    const auto e = endpoint_of("/primary?lag=1MB&tag_a=b");
    CHECK(e->refused.empty());
    CHECK(e->notes.size() == 2);
    CHECK_FALSE(e->demand.lag);
    CHECK(endpoint_of("/replica?")->refused.empty());
}

TEST_SUITE_END();
