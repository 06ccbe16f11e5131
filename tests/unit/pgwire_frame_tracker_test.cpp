// SPDX-License-Identifier: PostgreSQL
#include "proxy/pgwire/frame_tracker.hpp"

#include "proxy/pgwire/error_response.hpp"
#include "tests/support/bytes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <ostream>

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

struct state
{
    bool boundary = true;
    char ready = '\0';
    bool lost = false;

    friend bool operator==(const state&, const state&) = default;
    friend std::ostream& operator<<(std::ostream& out, const state& s)
    {
        return out << (s.lost       ? "lost"
                       : s.boundary ? "at boundary"
                                    : "within")
                   << " ready=" << static_cast<int>(s.ready);
    }
};

state state_of(const frame_tracker& t)
{
    return {t.at_boundary(), t.ready_status(), t.lost()};
}

state after(bytes stream)
{
    frame_tracker t;
    t.feed(stream);
    return state_of(t);
}

// What a server sends from the answer to a StartupMessage on to the end of one query in a
// transaction: messages without a body, with one byte, and larger ones.
byte_vector session()
{
    return hex("52 00000008 00000000")                            // AuthenticationOk
           + message('S', "in_hot_standby\0off\0"sv)              // ParameterStatus
           + message('K', "\0\0\x04\xd2\0\0\x16\x2e"sv)           // BackendKeyData
           + hex("5a 00000005 49")                                // ReadyForQuery, idle
           + message('C', "BEGIN\0"sv) + hex("5a 00000005 54")    // in a transaction
           + hex("31 00000004") + hex("32 00000004")              // Parse-, BindComplete
           + message('D', "\0\x01\0\0\0\x05Z\0\0\0\x05"sv)        // DataRow, looks like Z
           + message('C', "SELECT 1\0"sv) + hex("5a 00000005 54") //
           + bytes_of(fatal_error("57P01", "terminating"));
}

} // namespace

TEST_SUITE_BEGIN("pgwire/frame_tracker");

TEST_CASE("a fresh tracker is at a boundary and not ready")
{
    CHECK(state_of(frame_tracker{}) == state{});
}

TEST_CASE("feeding nothing changes nothing")
{
    frame_tracker t;
    t.feed({});
    CHECK(state_of(t) == state{});

    t.feed(hex("5a 0000"));
    t.feed({});
    CHECK(state_of(t) == state{false, '\0', false});
    t.feed(hex("0005 49"));
    t.feed({});
    CHECK(state_of(t) == state{true, 'I', false});
}

TEST_CASE("ReadyForQuery tells the state of the transaction")
{
    CHECK(after(hex("5a 00000005 49")) == state{true, 'I', false});
    CHECK(after(hex("5a 00000005 54")) == state{true, 'T', false});
    CHECK(after(hex("5a 00000005 45")) == state{true, 'E', false});
}

TEST_CASE("what only resembles ReadyForQuery is another message")
{
    const struct
    {
        const char* name;
        byte_vector stream;
    } rows[] = {
        {"no status", hex("5a 00000004")},
        {"two bytes of status", hex("5a 00000006 4949")},
        {"a status nobody knows", hex("5a 00000005 58")},
        {"small z", hex("7a 00000005 49")},
        {"a message of one byte", hex("43 00000005 49")},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        CHECK(after(row.stream) == state{true, '\0', false});
        CHECK(after(hex("5a 00000005 49") + row.stream) == state{true, '\0', false});
    }
}

TEST_CASE("being ready ends with the first byte of the next message")
{
    frame_tracker t;
    t.feed(hex("5a 00000005 49"));
    REQUIRE(t.ready_status() == 'I');

    t.feed(hex("4e"));
    CHECK(state_of(t) == state{false, '\0', false});
    t.feed(hex("00000005"));
    CHECK(state_of(t) == state{false, '\0', false});
    t.feed(hex("00"));
    CHECK(state_of(t) == state{true, '\0', false});
}

TEST_CASE("every prefix of a stream ends in the same state, whole, byte by byte, or cut once")
{
    const auto stream = session();
    frame_tracker by_byte;
    for (std::size_t size = 0; size <= stream.size(); ++size)
    {
        const auto prefix = bytes(stream).first(size);
        const auto expected = after(prefix);
        CAPTURE(size);
        if (size > 0)
            by_byte.feed(prefix.last(1));
        REQUIRE(state_of(by_byte) == expected);

        for (std::size_t cut = 0; cut <= size; ++cut)
        {
            CAPTURE(cut);
            frame_tracker in_two;
            in_two.feed(prefix.first(cut));
            in_two.feed(prefix.subspan(cut));
            REQUIRE(state_of(in_two) == expected);
        }
    }
}

TEST_CASE("a stream is at a boundary exactly where its messages end")
{
    const std::vector<byte_vector> messages{
        hex("52 00000008 00000000"),
        hex("5a 00000005 49"),
        hex("31 00000004"),
        message('D', std::string(300, 'Z')),
        hex("5a 00000005 54"),
        message('C', "SELECT 1\0"sv),
    };
    byte_vector stream;
    std::vector<std::size_t> ends{0};
    for (const auto& m : messages)
    {
        stream = stream + m;
        ends.push_back(stream.size());
    }

    for (std::size_t size = 0; size <= stream.size(); ++size)
    {
        CAPTURE(size);
        const bool is_end = std::find(ends.begin(), ends.end(), size) != ends.end();
        CHECK(after(bytes(stream).first(size)).boundary == is_end);
    }
}

TEST_CASE("how much of a message has come and is missing is known at every byte")
{
    const byte_vector messages[] = {
        hex("5a 00000005 49"),
        hex("31 00000004"),
        message('D', std::string(300, 'Z')),
        message('C', "SELECT 1\0"sv),
    };
    byte_vector stream;
    for (const auto& m : messages)
        stream = stream + m;

    std::size_t begin = 0;
    for (const auto& m : messages)
    {
        for (std::size_t into = 0; into < m.size(); ++into)
        {
            const auto prefix = bytes(stream).first(begin + into);
            const auto left = into == 0 ? 0 : into < 5 ? 5 - into : m.size() - into;
            for (std::size_t cut = 0; cut <= prefix.size(); ++cut)
            {
                CAPTURE(prefix.size());
                CAPTURE(cut);
                frame_tracker t;
                t.feed(prefix.first(cut));
                t.feed(prefix.subspan(cut));
                REQUIRE(t.into_message() == into);
                REQUIRE(t.message_left() == left);
            }
        }
        begin += m.size();
    }
}

TEST_CASE("of a lost stream nothing is missing")
{
    const auto stream = hex("5a 00000005 49 44 00000003 00");
    for (std::size_t cut = 0; cut <= stream.size(); ++cut)
    {
        CAPTURE(cut);
        frame_tracker t;
        t.feed(bytes(stream).first(cut));
        t.feed(bytes(stream).subspan(cut));
        REQUIRE(t.lost());
        CHECK(t.into_message() == 0);
        CHECK(t.message_left() == 0);
    }
}

TEST_CASE("a tracker is small: every session has one")
{
    static_assert(sizeof(frame_tracker) <= 32);
}

TEST_CASE("a client owes a Sync from its first extended message on")
{
    const auto one = [](char type) { return message(type, ""sv); };
    struct row
    {
        const char* types;
        bool unsynced;
        std::uint32_t counted;
    };
    const row rows[] = {
        {"", false, 0},
        {"P", true, 0},
        {"PBDEH", true, 0},
        {"PBDEHS", false, 1},
        {"C", true, 0},
        {"CS", false, 1},
        {"Q", false, 1},
        {"PQ", false, 1},
        {"F", false, 1},
        {"H", false, 0},
        {"EdcS", false, 1},
        {"Edf", true, 0},
        {"SSP", true, 2},
        {"QQX", false, 2},
        {"p", false, 0},
        {"ESB", true, 1},
    };
    for (const auto& r : rows)
    {
        CAPTURE(r.types);
        byte_vector stream;
        for (const char* t = r.types; *t; ++t)
            stream = stream + one(*t);
        for (std::size_t cut = 0; cut <= stream.size(); ++cut)
        {
            frame_tracker t(frame_tracker::side::client);
            t.feed(bytes(stream).first(cut));
            t.feed(bytes(stream).subspan(cut));
            CHECK(t.unsynced() == r.unsynced);
            CHECK(t.counted() == r.counted);
        }
    }
}

TEST_CASE("Syncs before the end of COPY data may go unanswered")
{
    struct row
    {
        const char* types;
        std::uint32_t ignorable;
    };
    const row rows[] = {
        {"ES", 0},
        {"Qdc", 0},
        {"ESdcS", 1},
        {"ESSdfS", 2},
        {"ESQdc", 0},
        {"SEdc", 0},
        {"ESdcSQ", 1},
    };
    for (const auto& r : rows)
    {
        CAPTURE(r.types);
        frame_tracker t(frame_tracker::side::client);
        for (const char* type = r.types; *type; ++type)
            t.feed(message(*type, ""sv));
        CHECK(t.take_ignorable() == r.ignorable);
        CHECK(t.take_ignorable() == 0);
    }
}

TEST_CASE("COPY FROM STDIN ends with ReadyForQuery, however much comes at once")
{
    const auto ready = hex("5a 00000005 49");
    const auto copy_in = hex("47 00000007 00 0000");
    frame_tracker whole;
    whole.feed(copy_in + message('C', "COPY 1\0"sv) + ready + ready);
    CHECK(whole.copies_ended() == 1);
    CHECK(whole.counted() == 2);

    frame_tracker cut;
    for (const auto b : copy_in + message('E', "x\0\0"sv) + ready + copy_in)
    {
        const byte_vector one{b};
        cut.feed(one);
    }
    CHECK(cut.copies_ended() == 1);
    cut.feed(ready);
    CHECK(cut.copies_ended() == 2);
}

TEST_CASE("a length below four loses the stream for good")
{
    const struct
    {
        std::uint32_t length;
        bool lost;
    } rows[] = {
        {0, true},
        {1, true},
        {3, true},
        {4, false},
        {5, false},
        {0x7fffffff, false},
        {0xffffffff, false}};
    for (const auto& row : rows)
    {
        CAPTURE(row.length);
        const auto stream = hex("5a 00000005 49") + hex("44") + int32(row.length);
        CHECK(after(stream).lost == row.lost);

        for (std::size_t cut = 0; cut <= stream.size(); ++cut)
        {
            CAPTURE(cut);
            frame_tracker t;
            t.feed(bytes(stream).first(cut));
            t.feed(bytes(stream).subspan(cut));
            CHECK(t.lost() == row.lost);
            if (row.lost)
            {
                t.feed(hex("5a 00000005 49"));
                CHECK(state_of(t) == state{false, '\0', true});
            }
        }
    }
}

TEST_CASE("the largest length is counted down without wrapping")
{
    const byte_vector chunk(std::size_t{1} << 20, std::byte{'Z'});
    frame_tracker t;
    t.feed(hex("64 ffffffff"));
    auto left = std::uint64_t{0xffffffff} - 4;
    while (left > chunk.size())
    {
        t.feed(chunk);
        left -= chunk.size();
    }
    CHECK(state_of(t) == state{false, '\0', false});

    t.feed(bytes(chunk).first(left - 1));
    CHECK_FALSE(t.at_boundary());
    CHECK(t.message_left() == 1);
    CHECK(t.into_message() == std::size_t{0xffffffff});
    t.feed(bytes(chunk).first(1));
    CHECK(state_of(t) == state{true, '\0', false});
    t.feed(hex("5a 00000005 49"));
    CHECK(t.ready_status() == 'I');
}

TEST_CASE("a large row and what follows it may come in one piece")
{
    const auto row = message('D', std::string(100'000, '\0'));

    CHECK(after(row + hex("5a 00000005 54")) == state{true, 'T', false});
    CHECK(after(row + row + hex("5a")) == state{false, '\0', false});
}

TEST_SUITE_END();
