// SPDX-License-Identifier: PostgreSQL
#include "health/patroni/config_body.hpp"

#include <doctest/doctest.h>

using rolegate::health::patroni::decode_ttl;
using std::chrono::milliseconds;

TEST_SUITE_BEGIN("patroni/config_body");

TEST_CASE("the ttl of a real configuration is read")
{
    const auto ttl = decode_ttl(R"({
        "ttl": 30, "loop_wait": 10, "retry_timeout": 10, "maximum_lag_on_failover": 1048576,
        "failsafe_mode": true,
        "postgresql": {"use_pg_rewind": true, "use_slots": true,
            "parameters": {"max_connections": 100, "wal_level": "replica"},
            "pg_hba": ["host all all 10.0.0.0/8 scram-sha-256"]},
        "slots": {"backup": {"type": "physical"}}})");

    REQUIRE(ttl.has_value());
    CHECK(*ttl == milliseconds(30'000));
}

TEST_CASE("a ttl is a number of seconds from 1 to below a day, also in quotes")
{
    const struct
    {
        const char* said;
        int seconds;
    } rows[] = {{"1", 1}, {"20", 20}, {R"("45")", 45}, {"86399", 86399}};
    for (const auto& row : rows)
    {
        CAPTURE(row.said);
        const auto ttl = decode_ttl(std::string(R"({"ttl":)") + row.said + "}");
        REQUIRE(ttl.has_value());
        CHECK(*ttl == std::chrono::seconds(row.seconds));
    }
}

TEST_CASE("any other ttl is an error")
{
    for (const char* odd :
         {"0",
          "-1",
          "86400",
          "9223372036854775807",
          "18446744073709551615",
          "1e400",
          "30.5",
          "null",
          "true",
          R"("")",
          R"("30s")",
          R"("-30")",
          "[30]",
          "{}"})
    {
        CAPTURE(odd);
        const auto ttl = decode_ttl(std::string(R"({"ttl":)") + odd + "}");
        REQUIRE(ttl.has_error());
        CHECK(ttl.error() == "'ttl' is not a number of seconds between 1 and a day");
    }
}

TEST_CASE("a body without a ttl is an error in words")
{
    const struct
    {
        const char* body;
        const char* error;
    } rows[] = {
        {"", "the body is empty"},
        {"30", "the body is JSON, but not an object"},
        {"{}", "the configuration has no 'ttl'"},
        {R"({"loop_wait":10})", "the configuration has no 'ttl'"},
        {R"({"bootstrap":{"dcs":{"ttl":30}}})", "the configuration has no 'ttl'"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.body);
        const auto ttl = decode_ttl(row.body);
        REQUIRE(ttl.has_error());
        CHECK(ttl.error() == row.error);
    }
    CHECK(decode_ttl("<html>502</html>").error().starts_with("the body is not JSON ("));
}

TEST_SUITE_END();
