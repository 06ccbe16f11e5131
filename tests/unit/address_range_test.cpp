// SPDX-License-Identifier: PostgreSQL
#include "proxy/address_range.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace rolegate::proxy;
using rolegate::config::network;
using namespace std::string_view_literals;

namespace
{

client_address client(std::string_view text)
{
    const auto found = parse_client_address(text);
    REQUIRE(found.has_value());
    return *found;
}

// As a socket of both families has it, not unmapped.
client_address mapped(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d)
{
    client_address out;
    out.family = client_family::v6;
    out.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
    return out;
}

} // namespace

TEST_SUITE_BEGIN("proxy/address_range");

TEST_CASE("an address is within a range when their first bits are the same")
{
    const struct
    {
        const char* address;
        unsigned prefix;
        std::vector<const char*> inside;
        std::vector<const char*> outside;
    } rows[] = {
        {"10.1.2.3", 32, {"10.1.2.3"}, {"10.1.2.2", "10.1.2.4", "11.1.2.3", "unix"}},
        {"10.1.2.2", 31, {"10.1.2.2", "10.1.2.3"}, {"10.1.2.1", "10.1.2.4"}},
        {"10.0.0.0", 8, {"10.0.0.0", "10.255.255.255"}, {"9.255.255.255", "11.0.0.0", "a00::"}},
        {"172.16.0.0", 12, {"172.16.0.0", "172.31.255.255"}, {"172.15.255.255", "172.32.0.0"}},
        {"128.0.0.0", 1, {"128.0.0.0", "255.255.255.255"}, {"127.255.255.255"}},
        {"0.0.0.0", 0, {"0.0.0.0", "10.1.2.3", "255.255.255.255"}, {"::", "::1", "unix"}},
        {"fd00::1", 128, {"fd00::1"}, {"fd00::", "fd00::2", "fd00:0:0:1::1"}},
        {"fd00::", 8, {"fd00::", "fdff:ffff::1"}, {"fc00::", "fe00::", "253.0.0.0"}},
        {"2001:db8::", 33, {"2001:db8:7fff::"}, {"2001:db8:8000::"}},
        {"fe80::", 10, {"fe80::1", "febf::1", "fe80::1%eth0"}, {"fec0::1"}},
        {"::", 0, {"::", "::1", "ffff::"}, {"0.0.0.0", "10.1.2.3", "unix"}},
        {"unix", 0, {"unix"}, {"0.0.0.0", "::"}},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.address);
        const address_range range{network{row.address, row.prefix}};
        for (const char* text : row.inside)
        {
            CAPTURE(text);
            CHECK(range.contains(client(text)));
        }
        for (const char* text : row.outside)
        {
            CAPTURE(text);
            CHECK_FALSE(range.contains(client(text)));
        }
    }
}

TEST_CASE("bits behind the prefix do not matter")
{
    const address_range range{network{"10.1.2.3", 8}};
    CHECK(range.contains(client("10.9.9.9")));
    CHECK_FALSE(range.contains(client("11.1.2.3")));
}

TEST_CASE("an IPv4 address within IPv6 is an IPv4 address")
{
    CHECK(client("::ffff:10.1.2.3") == client("10.1.2.3"));
    CHECK(client("::ffff:a01:203") == client("10.1.2.3"));
    CHECK(client("::10.1.2.3").family == client_family::v6);

    CHECK(address_range{network{"10.0.0.0", 8}}.contains(mapped(10, 1, 2, 3)));
    CHECK_FALSE(address_range{network{"11.0.0.0", 8}}.contains(mapped(10, 1, 2, 3)));
    CHECK_FALSE(address_range{network{"::", 0}}.contains(mapped(10, 1, 2, 3)));

    const address_range range{network{"::ffff:10.0.0.0", 104}};
    CHECK(range.contains(client("10.1.2.3")));
    CHECK(range.contains(mapped(10, 1, 2, 3)));
    CHECK_FALSE(range.contains(client("11.1.2.3")));
}

TEST_CASE("a network that is none contains nobody")
{
    for (const auto& wrong : {
             network{"", 0},
             network{"db-1", 0},
             network{"10.0.0", 0},
             network{"10.0.0.0", 33},
             network{"::", 129},
             network{"unix", 1},
             network{"*", 0},
             network{std::string{"10.0.0.0\0x"sv}, 0},
         })
    {
        CAPTURE(wrong.address);
        const address_range range{wrong};
        for (const char* text : {"10.0.0.0", "::", "unix"})
            CHECK_FALSE(range.contains(client(text)));
    }
}

TEST_CASE("one range of several is enough, none of none")
{
    const std::vector<address_range> ranges{
        address_range{network{"10.0.0.0", 8}}, address_range{network{"fd00::", 8}}};

    CHECK(any_contains(ranges, client("10.1.2.3")));
    CHECK(any_contains(ranges, client("fd00::1")));
    CHECK_FALSE(any_contains(ranges, client("11.1.2.3")));
    CHECK_FALSE(any_contains(ranges, client("unix")));
    CHECK_FALSE(any_contains({}, client("10.1.2.3")));
}

TEST_CASE("what is no address has none")
{
    for (const auto text : {
             ""sv,
             "10.0.0"sv,
             "10.0.0.256"sv,
             "010.0.0.1"sv,
             "10.0.0.1 "sv,
             "10.0.0.1\0"sv,
             "10.0.0.1%eth0"sv,
             "10.0.0.1:5432"sv,
             "[::1]"sv,
             ":::"sv,
             "%eth0"sv,
             "localhost"sv,
             "/run/postgresql"sv,
         })
    {
        CAPTURE(text);
        CHECK_FALSE(parse_client_address(text).has_value());
    }
}

TEST_SUITE_END();
