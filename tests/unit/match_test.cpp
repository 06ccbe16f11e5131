// SPDX-License-Identifier: PostgreSQL
#include "proxy/match.hpp"

#include "tests/support/startup_packet.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace rolegate;
using namespace rolegate::support;
using conditions = std::vector<config::startup_condition>;

namespace
{

bool fits(const conditions& match, const std::string& parameters)
{
    return proxy::fits(match, startup_with(parameters));
}

} // namespace

TEST_SUITE("match")
{
    TEST_CASE("all conditions must hold, any word of each")
    {
        const conditions match{{"database", {"orders", "stock"}}, {"user", {"app"}}};
        CHECK(fits(match, "user=app,database=orders"));
        CHECK(fits(match, "user=app,database=stock"));
        CHECK_FALSE(fits(match, "user=app,database=other"));
        CHECK_FALSE(fits(match, "user=root,database=stock"));
        CHECK_FALSE(fits(match, "user=app,database=Orders"));
        CHECK_FALSE(fits(match, "user=app,database=orders2"));
        CHECK_FALSE(fits(match, "database=orders"));
    }

    TEST_CASE("the database is the user's name where none is named")
    {
        const conditions match{{"database", {"app"}}};
        CHECK(fits(match, "user=app"));
        CHECK(fits(match, "user=app,database="));
        CHECK_FALSE(fits(match, "user=app,database=postgres"));
        CHECK_FALSE(fits({{"database", {"app"}}}, ""));
    }

    TEST_CASE("other parameters must be sent, whatever they are")
    {
        CHECK(fits({{"application_name", {"psql"}}}, "user=a,application_name=psql"));
        CHECK(fits({{"options", {"-c geqo.off"}}}, "user=a,options=-c geqo.off"));
        for (const auto* parameters : {"user=a", "user=a,Application_Name=psql", "user=a,b=psql"})
        {
            CAPTURE(parameters);
            CHECK_FALSE(fits({{"application_name", {"psql"}}}, parameters));
            CHECK_FALSE(fits({{"application_name", {"*"}}}, parameters));
        }
        CHECK(fits({{"application_name", {"*"}}}, "user=a,application_name="));
    }

    TEST_CASE("a star at the end stands for any ending")
    {
        const conditions match{{"database", {"report_*"}}};
        CHECK(fits(match, "user=a,database=report_2026"));
        CHECK(fits(match, "user=a,database=report_"));
        CHECK_FALSE(fits(match, "user=a,database=report"));
        CHECK_FALSE(fits(match, "user=report_1,database=x"));
        CHECK(fits(match, "user=report_1"));
    }

    TEST_CASE("without conditions everything fits, with some only what can be read")
    {
        for (const auto& packet :
             {hex("00000008 04d2162f"),                   // SSLRequest
              hex("00000013 00020000 75736572 00 61 00"), // protocol 2
              hex("16030100 00000000"),                   // TLS
              hex("0000000e 00030000 75736572 00 61")})   // no end
        {
            CHECK(proxy::fits({}, packet));
            CHECK_FALSE(proxy::fits({{"user", {"*"}}}, packet));
        }
    }
}
