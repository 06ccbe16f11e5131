// SPDX-License-Identifier: PostgreSQL
#include "proxy/handshake.hpp"

#include "tests/support/bytes.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace rolegate::proxy;
using rolegate::pgwire::first_packet;
using rolegate::support::byte_vector;
using rolegate::support::bytes_of;
using rolegate::support::hex;
using rolegate::support::int32;
using rolegate::support::operator+;
using namespace std::string_view_literals;
using next = handshake::next;

namespace
{

const auto ssl_request = hex("00000008 04d2162f");
const auto gssenc_request = hex("00000008 04d21630");
const auto cancel_request = hex("00000010 04d2162e 000004d2 0000162e");
const auto client_hello = hex("16030100 f8010000 f40303");

byte_vector startup(std::uint32_t protocol = 0x00030000)
{
    const auto body = bytes_of("user\0app\0database\0orders\0\0"sv);
    return int32(static_cast<std::uint32_t>(8 + body.size())) + int32(protocol) + body;
}

byte_vector startup_of_size(std::uint32_t size)
{
    auto packet = int32(size) + int32(0x00030000);
    packet.resize(std::max<std::size_t>(size, 8), std::byte{'x'});
    return packet;
}

// Gives at most `chunk` bytes at a time, as long as they are wanted. Returns how many were taken.
std::size_t feed(handshake& h, const byte_vector& in, std::size_t chunk = SIZE_MAX)
{
    std::size_t taken = 0;
    while (h.step() == next::read && taken < in.size())
    {
        const auto room = h.room();
        REQUIRE_FALSE(room.empty());
        const auto n = std::min({room.size(), in.size() - taken, chunk});
        std::copy_n(in.begin() + static_cast<std::ptrdiff_t>(taken), n, room.begin());
        h.filled(n);
        taken += n;
    }
    return taken;
}

byte_vector packet_of(const handshake& h)
{
    return {h.packet().begin(), h.packet().end()};
}

} // namespace

TEST_SUITE_BEGIN("proxy/handshake");

TEST_CASE("each first packet has its action, and is handed on as it came")
{
    const struct
    {
        const char* name;
        byte_vector packet;
        next action;
        first_packet kind;
    } rows[] = {
        {"StartupMessage 3.0", startup(), next::startup, first_packet::startup},
        {"StartupMessage 3.2", startup(0x00030002), next::startup, first_packet::startup},
        {"a minor nobody knows", startup(0x0003270f), next::startup, first_packet::startup},
        {"a major nobody knows", startup(0x00040000), next::startup, first_packet::startup},
        {"StartupMessage 2.0", startup(0x00020000), next::startup, first_packet::startup},
        {"the shortest", startup_of_size(8), next::startup, first_packet::startup},
        {"the longest", startup_of_size(10004), next::startup, first_packet::startup},
        {"SSLRequest", ssl_request, next::negotiate, first_packet::ssl_request},
        {"GSSENCRequest", gssenc_request, next::negotiate, first_packet::gssenc_request},
        {"CancelRequest", cancel_request, next::cancel, first_packet::cancel_request},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        handshake h;
        CHECK(h.step() == next::read);

        CHECK(feed(h, row.packet) == row.packet.size());

        CHECK(h.step() == row.action);
        CHECK(h.kind() == row.kind);
        CHECK(packet_of(h) == row.packet);
    }
}

TEST_CASE("the way a packet is cut does not matter")
{
    for (const auto& packet : {startup(), ssl_request, gssenc_request, cancel_request})
    {
        handshake whole;
        feed(whole, packet);

        for (std::size_t cut = 0; cut <= packet.size(); ++cut)
        {
            CAPTURE(cut);
            const auto middle = packet.begin() + static_cast<std::ptrdiff_t>(cut);
            handshake h;

            feed(h, {packet.begin(), middle});
            if (cut < packet.size())
                CHECK(h.step() == next::read);
            feed(h, {middle, packet.end()});

            CHECK(h.step() == whole.step());
            CHECK(h.kind() == whole.kind());
            CHECK(packet_of(h) == packet);
        }
    }
}

TEST_CASE("a packet that comes byte by byte is the same packet")
{
    for (const auto& packet :
         {startup(), ssl_request, gssenc_request, cancel_request, startup_of_size(10004)})
    {
        handshake h;

        CHECK(feed(h, packet, 1) == packet.size());

        CHECK(h.step() != next::read);
        CHECK(packet_of(h) == packet);
    }
}

TEST_CASE("an illegal length is rejected with the eighth byte")
{
    const struct
    {
        std::uint32_t length;
        next action;
    } rows[] = {
        {0, next::reject},
        {3, next::reject},
        {4, next::reject},
        {7, next::reject},
        {8, next::startup},
        {9, next::read},
        {10004, next::read},
        {10005, next::reject},
        {0x7fffffff, next::reject},
        {0x80000000, next::reject},
        {0xffffffff, next::reject},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.length);
        const auto header = int32(row.length) + int32(0x00030000);
        handshake h;

        feed(h, {header.begin(), header.end() - 1});
        CHECK(h.step() == next::read);
        feed(h, {header.end() - 1, header.end()});

        CHECK(h.step() == row.action);
        CHECK(packet_of(h) == header);
    }
}

TEST_CASE("a request with another length than its own is rejected")
{
    for (const char* packet :
         {"00000009 04d2162f 00",
          "00000010 04d2162f",
          "0000000c 04d21630",
          "00000008 04d2162e",
          "0000000f 04d2162e",
          "0000010d 04d2162e"})
    {
        CAPTURE(packet);
        handshake h;

        CHECK(feed(h, hex(packet)) == 8);

        CHECK(h.step() == next::reject);
    }
}

TEST_CASE("not one byte behind an SSLRequest is taken")
{
    for (const auto& request : {ssl_request, gssenc_request})
    {
        handshake h;

        CHECK(feed(h, request + startup()) == 8);

        CHECK(h.step() == next::negotiate);
    }
}

TEST_CASE("nor behind any other first packet")
{
    for (const auto& packet : {startup(), cancel_request, startup_of_size(10004)})
    {
        handshake h;

        CHECK(feed(h, packet + bytes_of("Q\0\0\0\4")) == packet.size());
    }
}

TEST_CASE("after N the next packet is read as the first one was")
{
    const struct
    {
        const char* name;
        byte_vector request;
        byte_vector then;
        next action;
    } rows[] = {
        {"startup in clear text", ssl_request, startup(), next::startup},
        {"startup after GSS was refused", gssenc_request, startup(), next::startup},
        {"GSS refused, then TLS asked for", gssenc_request, ssl_request, next::negotiate},
        {"TLS refused, then GSS asked for", ssl_request, gssenc_request, next::negotiate},
        {"cancel", ssl_request, cancel_request, next::cancel},
        {"nonsense", ssl_request, int32(3) + int32(0), next::reject},
        {"TLS all the same", ssl_request, client_hello, next::opaque},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        for (const std::size_t chunk : {std::size_t{1}, std::size_t{SIZE_MAX}})
        {
            handshake h;
            feed(h, row.request, chunk);
            REQUIRE(h.step() == next::negotiate);

            h.answered('N');
            CHECK(h.step() == next::read);
            CHECK(h.packet().empty());
            feed(h, row.then, chunk);

            CHECK(h.step() == row.action);
            if (row.action == next::startup)
                CHECK(packet_of(h) == row.then);
        }
    }
}

TEST_CASE("a request that is made twice is a protocol version, and the server says so")
{
    for (const auto& request : {ssl_request, gssenc_request})
    {
        handshake h;
        feed(h, request);
        h.answered('N');

        feed(h, request);

        CHECK(h.step() == next::startup);
        CHECK(packet_of(h) == request);
    }

    handshake both;
    feed(both, gssenc_request);
    both.answered('N');
    feed(both, ssl_request);
    REQUIRE(both.step() == next::negotiate);
    both.answered('N');
    feed(both, gssenc_request);
    CHECK(both.step() == next::startup);
}

TEST_CASE("after S, G or anything but N the stream is not ours to read")
{
    for (const char answer : {'S', 'G', 'E', 'n', '\0', '\xff'})
    {
        CAPTURE(static_cast<int>(answer));
        handshake h;
        feed(h, ssl_request);

        h.answered(answer);

        CHECK(h.step() == next::opaque);
        CHECK(h.packet().empty());
    }
}

TEST_CASE("TLS without a request is known by its first byte, and nothing of it is lost")
{
    handshake h;

    CHECK(feed(h, client_hello) == 8);

    CHECK(h.step() == next::opaque);
    CHECK(h.kind() == first_packet::direct_tls);
    CHECK(packet_of(h) == byte_vector(client_hello.begin(), client_hello.begin() + 8));
}

TEST_CASE("a client that announces much and sends nothing costs a kibibyte")
{
    const auto packet = startup_of_size(10004);
    handshake h;
    CHECK(h.room().size() == 8);

    std::size_t sent = feed(h, {packet.begin(), packet.begin() + 8});

    CHECK(h.room().size() <= 1024);
    while (h.step() == next::read)
    {
        // What is set aside never runs ahead of what has come by more than that.
        REQUIRE(h.room().size() <= 1024);
        REQUIRE(sent + h.room().size() <= packet.size());
        sent += feed(
            h,
            {packet.begin() + static_cast<std::ptrdiff_t>(sent),
             packet.begin() + static_cast<std::ptrdiff_t>(sent + h.room().size())}
        );
    }
    CHECK(sent == packet.size());
    CHECK(h.step() == next::startup);
}

TEST_CASE("a report of more bytes than there was room for is not believed")
{
    handshake h;

    h.filled(1'000'000);

    CHECK(h.packet().size() == 8);
    CHECK(h.step() == next::reject);
}
