// SPDX-License-Identifier: PostgreSQL
#include "proxy/pgwire/backend_key.hpp"

#include "tests/support/bytes.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace rolegate::pgwire;
using rolegate::support::byte_vector;
using rolegate::support::bytes_of;
using rolegate::support::hex;
using rolegate::support::int32;
using rolegate::support::message;
using rolegate::support::operator+;
using namespace std::string_view_literals;

namespace
{

byte_vector before_key()
{
    return hex("52 00000008 00000000")               // AuthenticationOk
           + message('S', "in_hot_standby\0off\0"sv) // ParameterStatus
           + message('N', std::string(300, 'K'))     // NoticeResponse, longer than a key
           + hex("53 00000004");                     // no body at all
}

const char* const ready = "5a 00000005 49";

byte_vector key_of(const backend_key& k)
{
    return {k.key().begin(), k.key().end()};
}

} // namespace

TEST_SUITE_BEGIN("pgwire/backend_key");

TEST_CASE("P-142: the key of any legal length is found")
{
    constexpr std::size_t sizes[] = {4, 5, 32, 255, 256};
    for (const auto size : sizes)
    {
        CAPTURE(size);
        const std::string body = std::string{"\0\0\x04\xd2"sv} + std::string(size, 'k');
        backend_key k;

        k.feed(before_key());
        CHECK_FALSE(k.done());
        CHECK(k.key().empty());
        k.feed(message('K', body) + hex(ready));

        CHECK(k.done());
        CHECK(key_of(k) == bytes_of(body));
    }
}

TEST_CASE("P-142: a key of another length is none, and ends the search")
{
    constexpr std::size_t sizes[] = {0, 4, 7, 261, 1000};
    for (const auto size : sizes)
    {
        CAPTURE(size);
        backend_key k;
        k.feed(before_key() + message('K', std::string(size, 'k')));
        k.feed(message('K', "12345678"));

        CHECK(k.done());
        CHECK(k.key().empty());
    }
}

TEST_CASE("a key that is announced as larger than anything is not waited for")
{
    backend_key k;
    k.feed(hex("4b ffffffff"));
    CHECK(k.done());
    CHECK(k.key().empty());
}

TEST_CASE("P-143: a server that is ready without having sent a key will send none")
{
    backend_key k;
    k.feed(before_key());
    k.feed(hex(ready));
    CHECK(k.done());
    k.feed(message('K', "12345678"));
    CHECK(k.key().empty());
}

TEST_CASE("an error ends nothing: more may follow, or the server closes")
{
    backend_key k;
    k.feed(message('E', "SFATAL\0C57P03\0\0"sv));
    CHECK_FALSE(k.done());
}

TEST_CASE("a length below four ends the search")
{
    for (const std::uint32_t length : {0u, 1u, 3u})
    {
        CAPTURE(length);
        backend_key k;
        k.feed(hex("52") + int32(length));
        CHECK(k.done());
        CHECK(k.key().empty());
    }
}

TEST_CASE("only the first key counts, and what follows changes nothing")
{
    backend_key k;
    k.feed(message('K', "12345678") + message('K', "abcdefgh"));
    k.feed(message('K', "abcdefgh") + hex("5a 00000003"));
    CHECK(k.done());
    CHECK(key_of(k) == bytes_of("12345678"));
}

TEST_CASE("every cut of a stream finds the same key, and no cut finds it early")
{
    const auto key = "\0\0\x04\xd2ZKZK\0\0\0\x05"sv;
    const auto stream = before_key() + message('K', key) + hex(ready);
    const auto end = stream.size() - 6;
    for (std::size_t cut = 0; cut <= stream.size(); ++cut)
    {
        CAPTURE(cut);
        backend_key k;
        k.feed(bytes(stream).first(cut));
        CHECK(k.done() == (cut >= end));
        CHECK(k.key().empty() == (cut < end));
        k.feed(bytes(stream).subspan(cut));
        CHECK(key_of(k) == bytes_of(key));
    }

    backend_key by_byte;
    for (std::size_t i = 0; i < stream.size(); ++i)
        by_byte.feed(bytes(stream).subspan(i, 1));
    CHECK(key_of(by_byte) == bytes_of(key));
}

TEST_CASE("P-009: a CancelRequest has the same key")
{
    backend_key k;
    k.feed(message('K', "\0\0\x04\xd2\0\0\x16\x2e"sv));
    const auto packet = hex("00000010 04d2162e 000004d2 0000162e");
    const auto found = cancel_key(packet);
    CHECK(byte_vector(found.begin(), found.end()) == key_of(k));

    const auto longest = int32(12 + 256) + hex("04d2162e 000004d2") + byte_vector(256);
    CHECK(cancel_key(longest).size() == max_cancel_key_size);
}

TEST_CASE("P-009: what is not exactly one CancelRequest has no key")
{
    const auto packet = hex("00000010 04d2162e 000004d2 0000162e");
    CHECK(cancel_key({}).empty());
    CHECK(cancel_key(bytes(packet).first(15)).empty());
    CHECK(cancel_key(packet + hex("00")).empty());
    CHECK(cancel_key(hex("00000008 04d2162f")).empty());
    CHECK(cancel_key(hex("00000010 00030000 7500 7500 00000000")).empty());
    CHECK(cancel_key(hex("0000000f 04d2162e 000004d2 000016")).empty());
}

TEST_CASE("the search takes little more room than the longest key")
{
    static_assert(sizeof(backend_key) <= max_cancel_key_size + 5 + 11);
}

TEST_SUITE_END();
