// SPDX-License-Identifier: PostgreSQL
#include "config/network.hpp"

#include <doctest/doctest.h>

using namespace rolegate::config;

TEST_SUITE_BEGIN("config/network");

TEST_CASE("a network is in CIDR notation, one address, or the word unix")
{
    struct row
    {
        std::string text;
        network value;
        std::string printed;
    };
    const row rows[] = {
        {"10.0.0.0/8", {"10.0.0.0", 8}, "10.0.0.0/8"},
        {"0.0.0.0/0", {"0.0.0.0", 0}, "0.0.0.0/0"},
        {"128.0.0.0/1", {"128.0.0.0", 1}, "128.0.0.0/1"},
        {"10.255.252.0/22", {"10.255.252.0", 22}, "10.255.252.0/22"},
        {"10.0.0.254/31", {"10.0.0.254", 31}, "10.0.0.254/31"},
        {"10.0.0.1/32", {"10.0.0.1", 32}, "10.0.0.1/32"},
        {"10.0.0.1", {"10.0.0.1", 32}, "10.0.0.1/32"},
        {"::/0", {"::", 0}, "::/0"},
        {"fd00::/8", {"fd00::", 8}, "fd00::/8"},
        {"2001:DB8:0:0::/33", {"2001:db8::", 33}, "2001:db8::/33"},
        {"2001:db8:8000::/33", {"2001:db8:8000::", 33}, "2001:db8:8000::/33"},
        {"::1/128", {"::1", 128}, "::1/128"},
        {"::1", {"::1", 128}, "::1/128"},
        {"unix", {"unix", 0}, "unix"},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.text);
        const parsed_network parsed = parse_network(r.text);
        CHECK(parsed.error == "");
        REQUIRE(parsed.value.has_value());
        CHECK(parsed.value == r.value);
        CHECK(format_network(*parsed.value) == r.printed);
        CHECK(parse_network(r.printed).value == r.value);
    }
}

TEST_CASE("what is no network says why")
{
    const std::string expected =
        "expected a network such as 10.0.0.0/8 or fd00::/8, an IP address or unix, got ";
    const std::string v4 = "expected a prefix between /0 and /32, got ";
    const std::string v6 = "expected a prefix between /0 and /128, got ";
    const std::string mapped = "write the IPv4 network itself instead of ";
    const std::string behind = " has bits set behind its prefix, did you mean ";
    struct row
    {
        std::string text;
        std::string error;
    };
    const row rows[] = {
        {"", expected + "''"},
        {"/8", expected + "'/8'"},
        {"*", expected + "'*'"},
        {"all", expected + "'all'"},
        {"Unix", expected + "'Unix'"},
        {"unix/0", expected + "'unix/0'"},
        {"localhost", expected + "'localhost'"},
        {"10/8", expected + "'10/8'"},
        {"10.0.0/24", expected + "'10.0.0/24'"},
        {"10.0.0.256", expected + "'10.0.0.256'"},
        {" 10.0.0.0/8", expected + "' 10.0.0.0/8'"},
        {"10.0.0.1:5432", expected + "'10.0.0.1:5432'"},
        {"[fd00::]/8", expected + "'[fd00::]/8'"},
        {"fe80::1%eth0", expected + "'fe80::1%eth0'"},
        {std::string("10.0.0.1\0", 9), expected + "'10.0.0.1?'"},
        {"10.0.0.0/", v4 + "'10.0.0.0/'"},
        {"10.0.0.0/33", v4 + "'10.0.0.0/33'"},
        {"10.0.0.0/-1", v4 + "'10.0.0.0/-1'"},
        {"10.0.0.0/8/8", v4 + "'10.0.0.0/8/8'"},
        {"10.0.0.0/8 ", v4 + "'10.0.0.0/8 '"},
        {"10.0.0.0/255.0.0.0", v4 + "'10.0.0.0/255.0.0.0'"},
        {"10.0.0.0/99999999999999999999", v4 + "'10.0.0.0/99999999999999999999'"},
        {"fd00::/129", v6 + "'fd00::/129'"},
        {"fd00::/x", v6 + "'fd00::/x'"},
        {"10.0.0.1/8", "'10.0.0.1/8'" + behind + "'10.0.0.0/8'?"},
        {"10.0.0.1/31", "'10.0.0.1/31'" + behind + "'10.0.0.0/31'?"},
        {"10.1.255.0/20", "'10.1.255.0/20'" + behind + "'10.1.240.0/20'?"},
        {"1.2.3.4/0", "'1.2.3.4/0'" + behind + "'0.0.0.0/0'?"},
        {"fd00::1/64", "'fd00::1/64'" + behind + "'fd00::/64'?"},
        {"2001:db8:8000::/32", "'2001:db8:8000::/32'" + behind + "'2001:db8::/32'?"},
        {"::ffff:10.0.0.1", mapped + "'::ffff:10.0.0.1'"},
        {"::ffff:0:0/96", mapped + "'::ffff:0:0/96'"},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.text);
        const parsed_network parsed = parse_network(r.text);
        CHECK_FALSE(parsed.value.has_value());
        CHECK(parsed.error == r.error);
    }
}

TEST_SUITE_END();
