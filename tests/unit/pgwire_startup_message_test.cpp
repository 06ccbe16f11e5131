// SPDX-License-Identifier: PostgreSQL
#include "proxy/pgwire/startup_message.hpp"

#include "tests/support/bytes.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace rolegate::pgwire;
using rolegate::support::byte_vector;
using rolegate::support::bytes_of;
using rolegate::support::hex;
using rolegate::support::int32;
using rolegate::support::operator+;
using namespace std::string_view_literals;

namespace
{

constexpr std::uint32_t protocol_3_0 = 0x00030000;
constexpr auto client = "10.1.2.3:5555"sv;

// `parameters` with their zero bytes; the terminator is added.
byte_vector startup(std::string_view parameters, std::uint32_t protocol = protocol_3_0)
{
    return int32(static_cast<std::uint32_t>(8 + parameters.size() + 1)) + int32(protocol) +
           bytes_of(parameters) + hex("00");
}

byte_vector named(std::string_view name)
{
    std::string parameters{"user\0u\0application_name\0"sv};
    parameters += name;
    parameters += '\0';
    return startup(parameters);
}

// What becomes of an application_name.
std::string with_client(std::string_view name, std::string_view address = client)
{
    const auto out = with_application_name_host(named(name), address);
    REQUIRE(well_formed_startup(out));
    CHECK(startup_parameter(out, "user") == "u");
    return std::string{startup_parameter(out, "application_name").value_or("none")};
}

std::string repeated(std::string_view text, int times)
{
    std::string out;
    for (int i = 0; i < times; ++i)
        out += text;
    return out;
}

} // namespace

TEST_SUITE_BEGIN("pgwire/startup_message");

TEST_CASE("P-120: parameters are found by their names")
{
    const auto packet = hex("00000022 00030000 7573657200 7500 646174616261736500"
                            "706f73746772657300 00");

    REQUIRE(well_formed_startup(packet));
    CHECK(startup_parameter(packet, "user") == "u");
    CHECK(startup_parameter(packet, "database") == "postgres");
    CHECK(startup_parameter(packet, "replication") == std::nullopt);
    CHECK(startup_parameter(packet, "USER") == std::nullopt);
    CHECK(startup_parameter(packet, "use") == std::nullopt);
    CHECK(startup_parameter(packet, "user\0u"sv) == std::nullopt);
    CHECK(startup_parameter(packet, "") == std::nullopt);
}

TEST_CASE("P-120: a value is not mistaken for a name, and may be empty")
{
    const auto packet = startup("user\0database\0options\0\0database\0d\0"sv);

    CHECK(startup_parameter(packet, "database") == "d");
    CHECK(startup_parameter(packet, "options") == "");
    CHECK(startup_parameter(packet, "user") == "database");
}

TEST_CASE("P-122: of several parameters with a name the last one holds")
{
    CHECK(startup_parameter(startup("user\0a\0database\0d\0user\0b\0"sv), "user") == "b");
}

TEST_CASE("P-123: replication can be read")
{
    const auto packet = startup("user\0u\0replication\0database\0"sv);

    CHECK(startup_parameter(packet, "replication") == "database");
}

TEST_CASE("P-124: any minor version and reserved options are read")
{
    const auto packet = startup("user\0u\0_pq_.test_protocol_negotiation\0\0"sv, 0x0003270f);

    CHECK(startup_parameter(packet, "user") == "u");
    CHECK(startup_parameter(packet, "_pq_.test_protocol_negotiation") == "");
}

TEST_CASE("a packet without parameters is well-formed: the server names what is missing")
{
    CHECK(well_formed_startup(startup("")));
}

TEST_CASE("P-121: what is not exactly one startup packet is not read, and is passed on as it is")
{
    const auto good = startup("user\0u\0"sv);
    REQUIRE(well_formed_startup(good));
    const struct
    {
        const char* name;
        byte_vector packet;
    } rows[] = {
        {"nothing", {}},
        {"a length alone", hex("00000004")},
        {"no terminator, no parameters", hex("00000008 00030000")},
        {"no terminator", int32(15) + int32(protocol_3_0) + bytes_of("user\0u\0"sv)},
        {"two terminators", startup("user\0u\0\0"sv)},
        {"something behind the terminator", startup("user\0u\0\0x"sv)},
        {"a name without a value", startup("user\0u\0database"sv)},
        {"a value without an end", int32(14) + int32(protocol_3_0) + bytes_of("user\0u"sv)},
        {"a name without an end", int32(12) + int32(protocol_3_0) + bytes_of("user"sv)},
        {"one byte missing", {good.begin(), good.end() - 1}},
        {"one byte more", good + hex("00")},
        {"protocol 2.0", startup("user\0u\0"sv, 0x00020000)},
        {"protocol 4.0", startup("user\0u\0"sv, 0x00040000)},
        {"CancelRequest", hex("00000010 04d2162e 000004d2 0000162e")},
        {"SSLRequest", hex("00000008 04d2162f")},
        {"longer than the server takes",
         startup(std::string{"user\0"sv} + repeated("x", 10'000) + std::string(1, '\0'))},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        CHECK_FALSE(well_formed_startup(row.packet));
        CHECK(startup_parameter(row.packet, "user") == std::nullopt);
        CHECK(with_application_name_host(row.packet, client) == row.packet);
    }
}

TEST_CASE("P-314: the client's address follows the application's name")
{
    CHECK(with_client("psql") == "psql - 10.1.2.3:5555");
    CHECK(with_client("psql", "[2001:db8::1]:65535") == "psql - [2001:db8::1]:65535");
    CHECK(with_client("a b - c") == "a b - c - 10.1.2.3:5555");
}

TEST_CASE("P-314: an application without a name is called app")
{
    const auto packet = startup("user\0u\0database\0d\0"sv);

    CHECK(
        with_application_name_host(packet, client) ==
        startup("user\0u\0database\0d\0application_name\0app - 10.1.2.3:5555\0"sv)
    );
    CHECK(
        with_application_name_host(startup(""), client) ==
        startup("application_name\0app - 10.1.2.3:5555\0"sv)
    );
    CHECK(with_client("") == "app - 10.1.2.3:5555");
}

TEST_CASE("P-314: every other parameter stays where it is, byte for byte")
{
    CHECK(
        with_application_name_host(
            startup(
                "user\0\xff\0application_name\0x\0application_names\0y\0options\0-c a=b\0"sv,
                0x0003270f
            ),
            client
        ) ==
        startup(
            "user\0\xff\0application_name\0x - 10.1.2.3:5555\0application_names\0y\0"
            "options\0-c a=b\0"sv,
            0x0003270f
        )
    );
}

TEST_CASE("P-314: the name that the server would use is the one that is changed")
{
    // Settings are applied in their order, and their names know no case.
    CHECK(
        with_application_name_host(
            startup("application_name\0a\0user\0application_name\0Application_NAME\0b\0"sv), client
        ) == startup("application_name\0a\0user\0application_name\0"
                     "Application_NAME\0b - 10.1.2.3:5555\0"sv)
    );
}

TEST_CASE("P-314: the name is shortened for the address, to 63 bytes together")
{
    const auto room = 63 - " - 10.1.2.3:5555"sv.size();
    const std::string fits(room, 'n');

    CHECK(with_client(fits) == fits + " - 10.1.2.3:5555");
    CHECK(with_client(fits + "x") == fits + " - 10.1.2.3:5555");
    CHECK(with_client(std::string(5000, 'n')) == fits + " - 10.1.2.3:5555");
    CHECK(with_client("psql", std::string(59, 'c')) == "p - " + std::string(59, 'c'));
    CHECK(with_client("psql", std::string(60, 'c')) == std::string(60, 'c'));
    CHECK(with_client("psql", std::string(70, 'c')) == std::string(63, 'c'));
    CHECK(with_client("", std::string(59, 'c')) == "a - " + std::string(59, 'c'));
}

TEST_CASE("P-314: no character is cut in half, and the server's escapes fit as well")
{
    // 47 bytes of room; what is not printable ASCII is shown as "\xAB" since PostgreSQL 16.
    CHECK(with_client(repeated("\u00e4", 20)) == repeated("\u00e4", 5) + " - 10.1.2.3:5555");
    CHECK(with_client(repeated("\u20ac", 20)) == repeated("\u20ac", 3) + " - 10.1.2.3:5555");
    CHECK(
        with_client(repeated("\U0001f600", 20)) == repeated("\U0001f600", 2) + " - 10.1.2.3:5555"
    );
    CHECK(with_client(repeated("x", 46) + "\u00e4") == repeated("x", 46) + " - 10.1.2.3:5555");
    CHECK(with_client("\u00e4\u20ac") == "\u00e4\u20ac - 10.1.2.3:5555");
    // Latin-1, or anything: cut where the room ends.
    CHECK(with_client(repeated("\x80", 70)) == repeated("\x80", 11) + " - 10.1.2.3:5555");
}

TEST_CASE("an address cannot begin a parameter of its own")
{
    CHECK(with_client("psql", "1.2.3.4:5\0user\0postgres"sv) == "psql - 1.2.3.4:5");
}

TEST_CASE("P-102: a packet that would get too long for the server stays as it is")
{
    constexpr auto added = "application_name\0app - 10.1.2.3:5555\0"sv.size();
    const auto sized = [](std::size_t size)
    {
        return startup(
            std::string{"options\0"sv} + std::string(size - 8 - 8 - 2, 'o') + std::string(1, '\0')
        );
    };

    const auto fits = sized(max_first_packet_size - added);
    const auto out = with_application_name_host(fits, client);
    CHECK(out.size() == max_first_packet_size);
    CHECK(startup_parameter(out, "application_name") == "app - 10.1.2.3:5555");

    const auto too_long = sized(max_first_packet_size - added + 1);
    REQUIRE(well_formed_startup(too_long));
    CHECK(with_application_name_host(too_long, client) == too_long);
    CHECK(
        with_application_name_host(sized(max_first_packet_size), client) ==
        sized(max_first_packet_size)
    );
}

TEST_SUITE_END();
