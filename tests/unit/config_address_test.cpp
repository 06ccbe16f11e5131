// SPDX-License-Identifier: PostgreSQL
#include "config/address.hpp"

#include <doctest/doctest.h>

using namespace rolegate::config;

TEST_SUITE_BEGIN("config/address");

TEST_CASE("a bind is an IP address or a star, with a port")
{
    struct row
    {
        std::string text;
        host_port value;
    };
    const row rows[] = {
        {"*:5432", {"*", 5432}},
        {"*:0", {"*", 0}},
        {"0.0.0.0:1", {"0.0.0.0", 1}},
        {"127.0.0.1:65535", {"127.0.0.1", 65535}},
        {"[::]:5432", {"::", 5432}},
        {"[::1]:5432", {"::1", 5432}},
        {"[0:0:0:0:0:0:0:1]:5432", {"::1", 5432}},
        {"[2001:DB8::A]:5432", {"2001:db8::a", 5432}},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.text);
        const parsed_address parsed = parse_bind(r.text);
        CHECK(parsed.error.empty());
        CHECK(parsed.value == r.value);
        REQUIRE(parsed.value.has_value());
        CHECK(parse_bind(format_address(*parsed.value)).value == r.value);
    }
}

TEST_CASE("what is no bind says why")
{
    struct row
    {
        std::string text;
        std::string error;
    };
    const row rows[] = {
        {"", "expected ADDR:PORT such as *:5432 or [::]:5432, got ''"},
        {"5432", "expected ADDR:PORT such as *:5432 or [::]:5432, got '5432'"},
        {":5432", "expected ADDR:PORT such as *:5432 or [::]:5432, got ':5432'"},
        {"*", "expected ADDR:PORT such as *:5432 or [::]:5432, got '*'"},
        {"*:", "expected ADDR:PORT such as *:5432 or [::]:5432, got '*:'"},
        {"*:65536", "expected ADDR:PORT such as *:5432 or [::]:5432, got '*:65536'"},
        {"*:-1", "expected ADDR:PORT such as *:5432 or [::]:5432, got '*:-1'"},
        {"*:+1", "expected ADDR:PORT such as *:5432 or [::]:5432, got '*:+1'"},
        {"*:5432 ", "expected ADDR:PORT such as *:5432 or [::]:5432, got '*:5432 '"},
        {"*:postgresql", "expected ADDR:PORT such as *:5432 or [::]:5432, got '*:postgresql'"},
        {"localhost:5432", "'localhost' is not an IP address; a bind takes one, or *"},
        {"10.0.0:5432", "'10.0.0' is not an IP address; a bind takes one, or *"},
        {"10.0.0.256:5432", "'10.0.0.256' is not an IP address; a bind takes one, or *"},
        {"[10.0.0.1]:5432", "'10.0.0.1' is not an IP address; a bind takes one, or *"},
        {"[*]:5432", "'*' is not an IP address; a bind takes one, or *"},
        {"[]:5432", "'[]' is not an IP address; a bind takes one, or *"},
        {"[::g]:5432", "'::g' is not an IP address; a bind takes one, or *"},
        {"::1:5432", "an IPv6 address stands in brackets such as [::1]:5432, got '::1:5432'"},
        {"[::1]", "expected ADDR:PORT such as *:5432 or [::]:5432, got '[::1]'"},
        {"[::ffff:10.0.0.1]:5432", "write the IPv4 address itself instead of '::ffff:10.0.0.1'"},
        {"unix:/run/rolegate", "'unix:' binds are not supported by this version yet"},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.text);
        const parsed_address parsed = parse_bind(r.text);
        CHECK_FALSE(parsed.value.has_value());
        CHECK(parsed.error == r.error);
    }
}

TEST_CASE("a member is a name or an IP address, with a port to connect to")
{
    struct row
    {
        std::string text;
        host_port value;
    };
    const row rows[] = {
        {"10.0.3.141:8008", {"10.0.3.141", 8008}},
        {"batman:8008", {"batman", 8008}},
        {"pg_1.example.org:8008", {"pg_1.example.org", 8008}},
        {"pg-1.example.org.:8008", {"pg-1.example.org.", 8008}},
        {"1and1.example:8008", {"1and1.example", 8008}},
        {"[::1]:8008", {"::1", 8008}},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.text);
        const parsed_address parsed = parse_member(r.text);
        CHECK(parsed.error.empty());
        CHECK(parsed.value == r.value);
    }
}

TEST_CASE("what is no member says why")
{
    const std::string expected = "expected HOST:PORT such as 10.0.0.1:8008, got ";
    const std::string neither = " is neither a host name nor an IP address";
    struct row
    {
        std::string text;
        std::string error;
    };
    const row rows[] = {
        {"", expected + "''"},
        {"batman", expected + "'batman'"},
        {"batman:0", expected + "'batman:0'"},
        {"batman:65536", expected + "'batman:65536'"},
        {"batman:8008/", expected + "'batman:8008/'"},
        {"*:8008", "'*'" + neither},
        {"256.1.1.1:8008", "'256.1.1.1'" + neither},
        {"10.0.3:8008", "'10.0.3'" + neither},
        {"[batman]:8008", "'batman'" + neither},
        {"bat man:8008", "'bat man'" + neither},
        {"-batman:8008", "'-batman'" + neither},
        {"a..b:8008", "'a..b'" + neither},
        {std::string(64, 'a') + ":8008", "'" + std::string(64, 'a') + "'" + neither},
        {"::1:8008", "an IPv6 address stands in brackets such as [::1]:8008, got '::1:8008'"},
        {"https://batman:8008",
         "expected HOST:PORT, not a URL (tls: {} turns HTTPS on), got 'https://batman:8008'"},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.text);
        const parsed_address parsed = parse_member(r.text);
        CHECK_FALSE(parsed.value.has_value());
        CHECK(parsed.error == r.error);
    }
}

TEST_SUITE_END();
