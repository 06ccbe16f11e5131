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
        {"/run/write", "a unix socket is written unix:/PATH, got '/run/write'"},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.text);
        const parsed_address parsed = parse_bind(r.text);
        CHECK_FALSE(parsed.value.has_value());
        CHECK(parsed.error == r.error);
    }
}

TEST_CASE("a unix socket is a path, or PostgreSQL's own name of it in a directory")
{
    struct row
    {
        std::string text;
        std::string path;
    };
    const row rows[] = {
        {"unix:/run/rolegate/write", "/run/rolegate/write"},
        {"unix:/write", "/write"},
        {"unix:/run/postgresql:5432", "/run/postgresql/.s.PGSQL.5432"},
        {"unix:/run/postgresql/:5432", "/run/postgresql/.s.PGSQL.5432"},
        {"unix:/run/postgresql:05432", "/run/postgresql/.s.PGSQL.5432"},
        {"unix:/run/postgresql/.s.PGSQL.5432", "/run/postgresql/.s.PGSQL.5432"},
        {"unix:/:1", "/.s.PGSQL.1"},
        {"unix://run/./x//y", "/run/x/y"},
        {"unix:/run/../x", "/run/../x"},
        {"unix:/run/.x", "/run/.x"},
        {"unix:/run/a b\xc3\xbc", "/run/a b\xc3\xbc"},
        {"unix:/" + std::string(106, 'x'), "/" + std::string(106, 'x')},
        {"unix:/" + std::string(91, 'x') + ":65535",
         "/" + std::string(91, 'x') + "/.s.PGSQL.65535"},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.text);
        const parsed_address parsed = parse_bind(r.text);
        CHECK(parsed.error == "");
        REQUIRE(parsed.value.has_value());
        CHECK(parsed.value == host_port{r.path, 0});
        CHECK(parsed.value->is_unix());
        CHECK(family_of(*parsed.value) == address_family::local);
        CHECK_FALSE(is_wildcard(*parsed.value));
        CHECK(format_address(*parsed.value) == "unix:" + r.path);
        CHECK(parse_bind(format_address(*parsed.value)).value == parsed.value);
    }
}

TEST_CASE("what is no unix socket says why")
{
    const std::string absolute =
        "a unix socket needs an absolute path such as unix:/run/rolegate/write, got ";
    const std::string expected = "expected unix:/PATH or unix:/DIRECTORY:PORT, got ";
    const std::string x64(64, 'x');
    struct row
    {
        std::string text;
        std::string error;
    };
    const row rows[] = {
        {"unix:", absolute + "'unix:'"},
        {"unix:write", absolute + "'unix:write'"},
        {"unix:@write", absolute + "'unix:@write'"},
        {"unix::5432", absolute + "'unix::5432'"},
        {"unix:/", expected + "'unix:/'"},
        {"unix:/run/", expected + "'unix:/run/'"},
        {"unix:/run/.", expected + "'unix:/run/.'"},
        {"unix:/run/..", expected + "'unix:/run/..'"},
        {"unix:/run:", expected + "'unix:/run:'"},
        {"unix:/run:0", expected + "'unix:/run:0'"},
        {"unix:/run:65536", expected + "'unix:/run:65536'"},
        {"unix:/run:5432x", expected + "'unix:/run:5432x'"},
        {"unix:/run:5432:5433", expected + "'unix:/run:5432:5433'"},
        {"unix:/a:b/write", expected + "'unix:/a:b/write'"},
        {"unix:/a\nb", expected + "'unix:/a?b'"},
        {std::string("unix:/a\0b", 9), expected + "'unix:/a?b'"},
        {"unix:/" + std::string(107, 'x'),
         "the path of a unix socket has at most 107 bytes, '/" + x64.substr(1) + "...' has 108"},
        {"unix:/" + std::string(92, 'x') + ":65535",
         "the path of a unix socket has at most 107 bytes, '/" + x64.substr(1) + "...' has 108"},
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
