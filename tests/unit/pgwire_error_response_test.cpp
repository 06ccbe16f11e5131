// SPDX-License-Identifier: PostgreSQL
#include "proxy/pgwire/error_response.hpp"

#include "tests/support/bytes.hpp"

#include <doctest/doctest.h>

using namespace rolegate::pgwire;
using rolegate::support::byte_vector;
using rolegate::support::bytes_of;
using rolegate::support::hex;
using rolegate::support::int32;
using rolegate::support::message;
using rolegate::support::operator+;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace
{

// What PostgreSQL itself sends, byte for byte.
const char* const admin_shutdown =
    "45 0000004f 53464154414c00 56464154414c00 43353750303100"
    "4d7465726d696e6174696e6720636f6e6e656374696f6e2064756520746f2061646d696e6973747261746f7220"
    "636f6d6d616e6400 00";
const char* const cannot_connect_now =
    "45 0000003e 53464154414c00 56464154414c00 43353750303300"
    "4d7468652064617461626173652073797374656d206973207374617274696e6720757000 00";

// An ErrorResponse of exactly `size` bytes with SQLSTATE 57P03 and a long message.
byte_vector error_of_size(std::size_t size)
{
    const auto rest = size - 5 - "C57P03\0M\0\0"sv.size();
    return message('E', "C57P03\0M"s + std::string(rest, 'x') + "\0\0"s);
}

} // namespace

TEST_SUITE_BEGIN("pgwire/error_response");

TEST_CASE("a fatal error has the bytes a server would send")
{
    CHECK(
        bytes_of(fatal_error("57P01", "terminating connection due to administrator command")) ==
        hex(admin_shutdown)
    );
    CHECK(
        bytes_of(fatal_error("57P03", "the database system is starting up")) ==
        hex(cannot_connect_now)
    );
}

TEST_CASE("a fatal error without a message is still well-formed")
{
    CHECK(bytes_of(fatal_error("57P03", "")) == message('E', "SFATAL\0VFATAL\0C57P03\0M\0\0"sv));
}

TEST_CASE("a zero byte in a fatal error's message ends the message, not the framing")
{
    const auto error = bytes_of(fatal_error("57P03", "no primary\0C28000"sv));

    CHECK(error == bytes_of(fatal_error("57P03", "no primary")));
    CHECK(parse_first_answer(error).sqlstate == "57P03");
}

TEST_CASE("the SQLSTATE of an ErrorResponse is found")
{
    const struct
    {
        const char* name;
        byte_vector answer;
        const char* sqlstate;
    } rows[] = {
        {"57P01 of a server", hex(admin_shutdown), "57P01"},
        {"57P03 of a server", hex(cannot_connect_now), "57P03"},
        {"our own", bytes_of(fatal_error("53300", "too many")), "53300"},
        {"only the code", message('E', "C57P03\0\0"sv), "57P03"},
        {"the code behind unknown fields", message('E', "Zx\0Hy\0C28P01\0\0"sv), "28P01"},
        {"more messages behind it",
         hex(cannot_connect_now) + message('N', "x") + message('Z', "I"),
         "57P03"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        const auto found = parse_first_answer(row.answer);
        CHECK(found.status == parse_status::complete);
        CHECK(found.sqlstate == row.sqlstate);
    }
}

TEST_CASE("an answer that gives no SQLSTATE is passed on as it is")
{
    const struct
    {
        const char* name;
        byte_vector answer;
    } rows[] = {
        {"a request for a password", hex("52 00000008 00000003")},
        {"ReadyForQuery behind AuthenticationOk", hex("52 00000008 00000000 5a 00000005 49")},
        {"a message nobody sends before ReadyForQuery", hex("54 00000006 0000")},
        {"ErrorResponse of protocol 2.0",
         bytes_of("EFATAL:  unsupported frontend protocol 2.0: server supports 3.0 to 3.0\n\0"sv)},
        {"no field C", message('E', "SFATAL\0Msorry\0\0"sv)},
        {"no field at all", message('E', "\0"sv)},
        {"an empty body", message('E')},
        {"no terminator", message('E', "SFATAL\0C57P03\0"sv)},
        {"a field without its zero", message('E', "C57P03"sv)},
        {"something behind the terminator", message('E', "C57P03\0\0x"sv)},
        {"a code of four characters", message('E', "C57P0\0\0"sv)},
        {"a code of six characters", message('E', "C57P033\0\0"sv)},
        {"an empty code", message('E', "C\0\0"sv)},
        {"a code with a newline", message('E', "C57P\n3\0\0"sv)},
        {"a code in small letters", message('E', "C57p03\0\0"sv)},
        {"length 0", hex("45 00000000")},
        {"length 3", hex("45 00000003")},
        {"length 0x7fffffff", hex("45 7fffffff")},
        {"length 0xffffffff", hex("45 ffffffff")},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        const auto found = parse_first_answer(row.answer);
        CHECK(found.status == parse_status::complete);
        CHECK(found.sqlstate.empty());
    }
}

TEST_CASE("the answer of a server that asks for no password ends with ReadyForQuery or an error")
{
    const auto opening = hex("76 0000000c 00030000 00000000 52 00000008 00000000") +
                         message('S', "in_hot_standby\0off\0"sv) + message('N', "CNOTE\0\0"sv) +
                         message('K', "\0\0\0\1\0\0\0\2"sv);
    const auto refused = opening + hex(admin_shutdown);

    for (std::size_t cut = 0; cut < refused.size(); ++cut)
    {
        CAPTURE(cut);
        CHECK(parse_first_answer(bytes(refused).first(cut)).status == parse_status::need_more);
    }
    CHECK(parse_first_answer(refused).sqlstate == "57P01");
    const auto ready = opening + hex("5a 00000005 49");
    CHECK(parse_first_answer(ready).status == parse_status::complete);
    CHECK(parse_first_answer(ready).sqlstate.empty());
}

TEST_CASE("a start-up dialogue that does not end is not waited for")
{
    byte_vector answer;
    while (answer.size() < max_first_answer_size)
        answer = answer + message('S', "name\0value\0"sv);
    CHECK(parse_first_answer(answer).status == parse_status::need_more);

    answer = answer + message('S', "name\0value\0"sv);
    CHECK(parse_first_answer(answer).status == parse_status::complete);
}

TEST_CASE("an ErrorResponse is read once it is whole, wherever it was cut")
{
    const auto answer = hex(cannot_connect_now);
    for (std::size_t cut = 0; cut < answer.size(); ++cut)
    {
        CAPTURE(cut);
        const auto found = parse_first_answer(bytes(answer).first(cut));
        CHECK(found.status == parse_status::need_more);
        CHECK(found.sqlstate.empty());
    }
    CHECK(parse_first_answer(answer).status == parse_status::complete);
}

TEST_CASE("an ErrorResponse of the largest size is read, a longer one is not waited for")
{
    const auto largest = error_of_size(max_first_error_size);
    REQUIRE(largest.size() == max_first_error_size);
    CHECK(parse_first_answer(largest).sqlstate == "57P03");
    CHECK(parse_first_answer(bytes(largest).first(5)).status == parse_status::need_more);

    const auto longer = error_of_size(max_first_error_size + 1);
    CHECK(parse_first_answer(longer).sqlstate.empty());
    CHECK(parse_first_answer(bytes(longer).first(5)).status == parse_status::complete);
}

TEST_CASE("the SQLSTATE points into the answer")
{
    const auto answer = message('E', "C57P03\0\0"sv);

    const auto found = parse_first_answer(answer);

    CHECK(reinterpret_cast<const std::byte*>(found.sqlstate.data()) == answer.data() + 6);
}

TEST_SUITE_END();
