// SPDX-License-Identifier: PostgreSQL
#include "proxy/pgwire/first_packet.hpp"

#include "tests/support/bytes.hpp"

#include <doctest/doctest.h>

using namespace rolegate::pgwire;
using rolegate::support::bytes_of;
using rolegate::support::hex;
using rolegate::support::int32;
using rolegate::support::operator+;
using namespace std::string_view_literals;

namespace
{

constexpr std::uint32_t protocol_3_0 = 0x00030000;
constexpr std::uint32_t cancel_code = 0x04d2162e;
constexpr std::uint32_t ssl_code = 0x04d2162f;
constexpr std::uint32_t gssenc_code = 0x04d21630;

} // namespace

TEST_SUITE_BEGIN("pgwire/first_packet");

TEST_CASE("every kind of first packet is known by its first eight bytes")
{
    const struct
    {
        const char* name;
        const char* bytes;
        first_packet kind;
        std::size_t size;
    } rows[] = {
        {"SSLRequest", "00000008 04d2162f", first_packet::ssl_request, 8},
        {"GSSENCRequest", "00000008 04d21630", first_packet::gssenc_request, 8},
        {"CancelRequest 3.0",
         "00000010 04d2162e 000004d2 0000162e",
         first_packet::cancel_request,
         16},
        {"CancelRequest 3.2, 32-byte key", "0000002c 04d2162e", first_packet::cancel_request, 44},
        {"StartupMessage 3.0, user=u database=postgres",
         "00000022 00030000 7573657200 7500 646174616261736500 706f73746772657300 00",
         first_packet::startup,
         34},
        {"StartupMessage of HAProxy's pgsql-check",
         "00000016 00030000 7573657200 6861636865636b00 00",
         first_packet::startup,
         22},
        {"StartupMessage 3.2", "00000022 00030002", first_packet::startup, 34},
        {"StartupMessage 3.9999", "00000022 0003270f", first_packet::startup, 34},
        {"StartupMessage 2.0", "00000128 00020000", first_packet::startup, 296},
        {"StartupMessage 4.0", "00000008 00040000", first_packet::startup, 8},
        {"a request code nobody knows yet", "00000008 04d21631", first_packet::startup, 8},
        {"ClientHello of TLS 1.0 to 1.3", "16030102 00010001", first_packet::direct_tls, 8},
        {"ClientHello whose bytes would be a legal code",
         "16000008 04d2162f",
         first_packet::direct_tls,
         8},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        const auto in = hex(row.bytes);
        first_packet_header out;

        REQUIRE(parse_first_packet_header(in, out) == parse_status::complete);

        CHECK(out.kind == row.kind);
        CHECK(out.size == row.size);
    }
}

TEST_CASE("fewer than eight bytes of any first packet ask for more")
{
    for (const char* packet :
         {"00000008 04d2162f", "00000022 00030000", "16030102 00010001", "00000000 00000000"})
    {
        const auto in = hex(packet);
        for (std::size_t cut = 0; cut < first_packet_header_size; ++cut)
        {
            CAPTURE(packet);
            CAPTURE(cut);
            first_packet_header out;
            CHECK(parse_first_packet_header(bytes(in).first(cut), out) == parse_status::need_more);
        }
    }
}

TEST_CASE("what follows the first eight bytes changes nothing")
{
    const auto packet = hex("00000022 00030000") + bytes_of("user");
    for (std::size_t cut = first_packet_header_size; cut <= packet.size(); ++cut)
    {
        CAPTURE(cut);
        first_packet_header out;
        REQUIRE(parse_first_packet_header(bytes(packet).first(cut), out) == parse_status::complete);
        CHECK(out.kind == first_packet::startup);
        CHECK(out.size == 34);
    }
}

TEST_CASE("lengths are held to the server's limits")
{
    const struct
    {
        std::uint32_t code;
        std::uint32_t length;
        bool legal;
    } rows[] = {
        {protocol_3_0, 0, false},
        {protocol_3_0, 3, false},
        {protocol_3_0, 4, false},
        {protocol_3_0, 7, false},
        {protocol_3_0, 8, true},
        {protocol_3_0, 9, true},
        {protocol_3_0, 10004, true},
        {protocol_3_0, 10005, false},
        {protocol_3_0, 0x7fffffff, false},
        {protocol_3_0, 0x80000008, false},
        {protocol_3_0, 0xffffffff, false},
        {ssl_code, 7, false},
        {ssl_code, 8, true},
        {ssl_code, 9, false},
        {ssl_code, 10004, false},
        {gssenc_code, 7, false},
        {gssenc_code, 8, true},
        {gssenc_code, 9, false},
        {cancel_code, 8, false},
        {cancel_code, 12, false},
        {cancel_code, 15, false},
        {cancel_code, 16, true},
        {cancel_code, 17, true},
        {cancel_code, 44, true},
        {cancel_code, 268, true},
        {cancel_code, 269, false},
        {cancel_code, 0xffffffff, false},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.code);
        CAPTURE(row.length);
        const auto in = int32(row.length) + int32(row.code);
        first_packet_header out;

        const auto status = parse_first_packet_header(in, out);

        CHECK(status == (row.legal ? parse_status::complete : parse_status::malformed));
        if (row.legal)
            CHECK(out.size == row.length);
    }
}

TEST_CASE("what is not PostgreSQL is malformed")
{
    const struct
    {
        const char* name;
        std::string_view text;
    } rows[] = {
        {"HTTP", "GET / HTTP/1.1\r\n"},
        {"PROXY protocol version 1", "PROXY TCP4 10.0.0.1 10.0.0.2 40000 5432\r\n"},
        {"PROXY protocol version 2", "\r\n\r\n\0\r\nQUIT\n"sv},
        {"SSH", "SSH-2.0-OpenSSH_9.2\r\n"},
        {"a typed message", "Q\0\0\0\x0dselect 1\0"sv},
        {"eight zeros", "\0\0\0\0\0\0\0\0"sv},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        const auto in = bytes_of(row.text);
        first_packet_header out;
        CHECK(parse_first_packet_header(in, out) == parse_status::malformed);
    }
}

TEST_CASE("a malformed packet leaves the result as it was")
{
    first_packet_header out{first_packet::cancel_request, 16};

    CHECK(parse_first_packet_header(hex("00000009 04d2162f"), out) == parse_status::malformed);

    CHECK(out.kind == first_packet::cancel_request);
    CHECK(out.size == 16);
}

TEST_CASE("the protocol of a StartupMessage is its code")
{
    CHECK(startup_protocol(hex("00000008 00030000")) == 0x00030000);
    CHECK(startup_protocol(hex("00000022 00030002 7573")) == 0x00030002);
    CHECK(startup_protocol(hex("00000008 0003270f")) == 0x0003270f);
    CHECK(startup_protocol(hex("00000008 ffffffff")) == 0xffffffff);
}

TEST_SUITE_END();
