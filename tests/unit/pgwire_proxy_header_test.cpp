// SPDX-License-Identifier: PostgreSQL
#include "proxy/pgwire/proxy_header.hpp"

#include "tests/support/bytes.hpp"

#include <doctest/doctest.h>

using namespace rolegate::pgwire;
using rolegate::support::byte_vector;
using rolegate::support::bytes_of;
using rolegate::support::hex;
using rolegate::support::operator+;
using namespace std::string_view_literals;

namespace
{

const char* const signature = "0d0a0d0a 000d0a51 5549540a ";
const char* const tcp4_addresses = "0a010203 0a000001 15b3 1538"; // 10.1.2.3:5555 to 10.0.0.1:5432

byte_vector v2(const char* rest)
{
    return hex(signature) + hex(rest);
}

parse_status status_of(bytes in)
{
    proxy_header ignored;
    return parse_proxy_header(in, ignored);
}

parse_status status_of(std::string_view line)
{
    return status_of(bytes_of(line));
}

struct reading
{
    std::size_t taken = 0;
    int reads = 0;
};

// As a connection reads it: what is wanted, again and again.
reading read_wanted(bytes stream)
{
    reading out;
    for (;;)
    {
        const auto wanted = proxy_header_wanted(stream.first(out.taken));
        if (wanted == 0)
            return out;
        REQUIRE(wanted <= stream.size() - out.taken);
        out.taken += wanted;
        ++out.reads;
    }
}

} // namespace

TEST_SUITE_BEGIN("pgwire/proxy_header");

TEST_CASE("P-313: a header of version 1 or 2 names the client")
{
    const struct
    {
        const char* name;
        byte_vector header;
        const char* address;
        std::uint16_t port;
    } rows[] = {
        {"version 1, IPv4",
         bytes_of("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"),
         "192.168.0.1",
         56324},
        {"version 1, shortest IPv4", bytes_of("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0", 0},
        {"version 1, longest IPv4",
         bytes_of("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
         "255.255.255.255",
         65535},
        {"version 1, IPv6", bytes_of("PROXY TCP6 fd00::1 fd00::2 5555 5432\r\n"), "fd00::1", 5555},
        {"version 1, shortest IPv6", bytes_of("PROXY TCP6 :: :: 0 0\r\n"), "::", 0},
        {"version 1, capitals and zeros",
         bytes_of("PROXY TCP6 FD00:0:0:0:0:0:0:0001 ::1 5555 5432\r\n"),
         "fd00::1",
         5555},
        {"version 1, IPv4 within IPv6",
         bytes_of("PROXY TCP6 ::ffff:10.1.2.3 ::ffff:10.0.0.1 5555 5432\r\n"),
         "::ffff:10.1.2.3",
         5555},
        {"version 2, IPv4, as HAProxy 2.6 sends it",
         v2("21 11 000c 0a010203 0a000001 15b3 1538"),
         "10.1.2.3",
         5555},
        {"version 2, IPv4 with a TLV",
         v2("21 11 0013 0a010203 0a000001 15b3 1538 04 0004 00000000"),
         "10.1.2.3",
         5555},
        {"version 2, IPv6",
         v2("21 21 0024 fd000000000000000000000000000001 fd000000000000000000000000000002"
            " ffff 1538"),
         "fd00::1",
         65535},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        proxy_header out;

        REQUIRE(
            parse_proxy_header(row.header + hex("00000008 04d2162f"), out) == parse_status::complete
        );

        CHECK_FALSE(out.local);
        CHECK(out.source_address == row.address);
        CHECK(out.source_port == row.port);
        CHECK(out.size == row.header.size());
    }
}

TEST_CASE("P-313: a header that names no client keeps the address of the connection")
{
    const std::string path(216, 'x');
    const struct
    {
        const char* name;
        byte_vector header;
    } rows[] = {
        {"version 1, short", bytes_of("PROXY UNKNOWN\r\n")},
        {"version 1, longest",
         bytes_of("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n")},
        {"version 1, what is to be ignored", bytes_of("PROXY UNKNOWN \r \n what\0ever\r\n"sv)},
        {"LOCAL", v2("20 00 0000")},
        {"LOCAL with addresses", v2("20 11 000c 0a010203 0a000001 15b3 1538")},
        {"LOCAL with a family nobody knows", v2("20 ff 0001 00")},
        {"unspecified", v2("21 00 0000")},
        {"unspecified with a TLV", v2("21 00 0003 04 0000")},
        {"unix socket", v2("21 31 00d8") + bytes_of(path)},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        proxy_header out;
        out.source_address = "left from before";
        out.source_port = 1;

        REQUIRE(parse_proxy_header(row.header + hex("00"), out) == parse_status::complete);

        CHECK(out.local);
        CHECK(out.source_address == "");
        CHECK(out.source_port == 0);
        CHECK(out.size == row.header.size());
    }
}

TEST_CASE("P-313: a line that is not exactly as specified is malformed")
{
    for (const auto line : {
             "PROXY\r\n"sv,
             "PROXY \r\n"sv,
             "proxy TCP4 10.1.2.3 10.0.0.1 5555 5432\r\n"sv,
             " PROXY TCP4 10.1.2.3 10.0.0.1 5555 5432\r\n"sv,
             "PROXY  TCP4 10.1.2.3 10.0.0.1 5555 5432\r\n"sv,
             "PROXY TCP4\r\n"sv,
             "PROXY TCP4  10.1.2.3 10.0.0.1 5555 5432\r\n"sv,
             "PROXY TCP4 10.1.2.3  10.0.0.1 5555 5432\r\n"sv,
             "PROXY TCP4 10.1.2.3 10.0.0.1 5555  5432\r\n"sv,
             "PROXY TCP4 10.1.2.3 10.0.0.1 5555 5432 \r\n"sv,
             "PROXY TCP4 10.1.2.3 10.0.0.1 5555\r\n"sv,
             "PROXY TCP4 10.1.2.3 10.0.0.1 5555 5432 1\r\n"sv,
             "PROXY TCP4\t10.1.2.3 10.0.0.1 5555 5432\r\n"sv,
             "PROXY TCP4 10.1.2 10.0.0.1 5555 5432\r\n"sv,
             "PROXY TCP4 10.1.2.3 10.0.0.256 5555 5432\r\n"sv,
             "PROXY TCP4 010.1.2.3 10.0.0.1 5555 5432\r\n"sv,
             "PROXY TCP4 10.1.2.3\0 10.0.0.1 5555 5432\r\n"sv,
             "PROXY TCP4 fd00::1 fd00::2 5555 5432\r\n"sv,
             "PROXY TCP6 10.1.2.3 10.0.0.1 5555 5432\r\n"sv,
             "PROXY TCP6 fd00:::1 fd00::2 5555 5432\r\n"sv,
             "PROXY TCP6 fe80::1%eth0 fd00::2 5555 5432\r\n"sv,
             "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555 :: 1 1\r\n"sv,
             "PROXY TCP4 db-1 10.0.0.1 5555 5432\r\n"sv,
             "PROXY TCP4 10.1.2.3 10.0.0.1 65536 5432\r\n"sv,
             "PROXY TCP4 10.1.2.3 10.0.0.1 5555 99999999999999999999\r\n"sv,
             "PROXY TCP4 10.1.2.3 10.0.0.1 05555 5432\r\n"sv,
             "PROXY TCP4 10.1.2.3 10.0.0.1 5555 00\r\n"sv,
             "PROXY TCP4 10.1.2.3 10.0.0.1 +5555 5432\r\n"sv,
             "PROXY TCP4 10.1.2.3 10.0.0.1 -1 5432\r\n"sv,
             "PROXY TCP4 10.1.2.3 10.0.0.1 a 5432\r\n"sv,
             "PROXY TCP4 10.1.2.3 10.0.0.1 5555 5432\r\r\n"sv,
             "PROXY TCP4 10.1.2.3 10.0.0.1 5555 5432\n"sv,
             "PROXY TCP4 10.1.2.3 10.0.0.1 5555 5432\rX"sv,
             "PROXY UDP4 10.1.2.3 10.0.0.1 5555 5432\r\n"sv,
             "PROXY UNKNOWNS\r\n"sv,
             "PROXY unknown\r\n"sv,
         })
    {
        CAPTURE(line);
        CHECK(status_of(line) == parse_status::malformed);
        CHECK(proxy_header_wanted(bytes_of(line)) == 0);
    }
}

TEST_CASE("P-313: a line has at most 107 bytes, its end included")
{
    const std::string start = "PROXY UNKNOWN ";
    const auto filled = start + std::string(105 - start.size(), 'x');

    CHECK(status_of(filled) == parse_status::need_more);
    CHECK(proxy_header_wanted(bytes_of(filled)) == 2);
    CHECK(status_of(filled + "\r\n") == parse_status::complete);
    CHECK(status_of(filled + "x") == parse_status::need_more);
    CHECK(proxy_header_wanted(bytes_of(filled + "x")) == 1);
    CHECK(status_of(filled + "x\r") == parse_status::malformed);
    CHECK(status_of(filled + "x\r\n") == parse_status::malformed);
}

TEST_CASE("P-313: a block that is not exactly as specified is malformed")
{
    const struct
    {
        const char* name;
        byte_vector in;
    } rows[] = {
        {"another signature", hex("0d0a0d0a 000d0a51 5549540b 21 11 000c")},
        {"version 1", v2("11 11 000c")},
        {"version 3", v2("31 11 000c")},
        {"a command nobody knows", v2("22 11 000c")},
        {"UDP over IPv4", v2("21 12 000c")},
        {"UDP over IPv6", v2("21 22 0024")},
        {"unix datagrams", v2("21 32 00d8")},
        {"a family nobody knows", v2("21 41 000c")},
        {"TCP without a family", v2("21 01 0000")},
        {"IPv4 without a protocol", v2("21 10 000c")},
        {"too short for IPv4", v2("21 11 000b")},
        {"too short for IPv6", v2("21 21 0023")},
        {"too short for unix sockets", v2("21 31 00d7")},
        {"too long", v2("21 11 0401")},
        {"LOCAL, too long", v2("20 00 ffff")},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        CHECK(status_of(row.in) == parse_status::malformed);
        CHECK(proxy_header_wanted(row.in) == 0);
    }
}

TEST_CASE("P-313: a block has at most 1024 bytes behind the first sixteen")
{
    const auto header = v2("21 11 0400") + hex(tcp4_addresses) + byte_vector(1012);
    REQUIRE(header.size() == max_proxy_header_size);

    CHECK(status_of(bytes(header).first(header.size() - 1)) == parse_status::need_more);
    CHECK(status_of(header) == parse_status::complete);
}

TEST_CASE("P-103: what is no header is known as soon as it differs from one")
{
    CHECK(status_of(""sv) == parse_status::need_more);
    CHECK(status_of(hex("00")) == parse_status::malformed); // StartupMessage, SSLRequest
    CHECK(status_of(hex("16")) == parse_status::malformed); // ClientHello
    CHECK(status_of("G"sv) == parse_status::malformed);     // GET
    CHECK(status_of("POST"sv) == parse_status::malformed);
    CHECK(status_of("PROXY TCP5"sv) == parse_status::malformed);
    CHECK(status_of("PROXY UNKNOWX"sv) == parse_status::malformed);
    CHECK(status_of("PROXY TCP4 10.1.2.3 10.0.0.1 5555 5432\n"sv) == parse_status::malformed);
    CHECK(status_of("\r\n\r\n1"sv) == parse_status::malformed);
}

TEST_CASE("every cut of a header asks for more and wants no byte behind it")
{
    const byte_vector headers[] = {
        bytes_of("PROXY UNKNOWN\r\n"),
        bytes_of("PROXY UNKNOWN anything\r\n"),
        bytes_of("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"),
        bytes_of("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
        bytes_of("PROXY TCP6 :: :: 0 0\r\n"),
        bytes_of("PROXY TCP6 fd00::1 ::ffff:10.0.0.1 65535 1\r\n"),
        v2("20 00 0000"),
        v2("21 11 000c 0a010203 0a000001 15b3 1538"),
        v2("21 11 0013 0a010203 0a000001 15b3 1538 04 0004 00000000"),
    };
    for (const auto& header : headers)
    {
        CAPTURE(header.size());
        for (std::size_t size = 0; size < header.size(); ++size)
        {
            CAPTURE(size);
            const auto cut = bytes(header).first(size);
            CHECK(status_of(cut) == parse_status::need_more);
            CHECK(proxy_header_wanted(cut) >= 1);
            CHECK(size + proxy_header_wanted(cut) <= header.size());
        }
        CHECK(proxy_header_wanted(header) == 0);

        const auto stream = header + hex("00000008 04d2162f");
        CHECK(read_wanted(stream).taken == header.size());
    }
}

TEST_CASE("a header takes few reads")
{
    CHECK(read_wanted(v2("21 11 000c 0a010203 0a000001 15b3 1538")).reads == 3);
    CHECK(read_wanted(bytes_of("PROXY UNKNOWN\r\n")).reads == 1);
    const auto line = bytes_of("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n");
    CHECK(read_wanted(line).reads <= 12);
}

TEST_SUITE_END();
