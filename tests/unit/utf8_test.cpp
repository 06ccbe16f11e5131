// SPDX-License-Identifier: PostgreSQL
#include "config/utf8.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace rolegate::config;

TEST_SUITE("UTF-8")
{
    TEST_CASE("a character's length")
    {
        CHECK(utf8_length("a") == 1);
        CHECK(utf8_length("\xc3\xa9t") == 2);
        CHECK(utf8_length("\xed\x95\x9c") == 3);
        CHECK(utf8_length("\xf0\x9f\x90\x98") == 4);
    }

    TEST_CASE("what is none")
    {
        const char* const broken[] = {
            "\x80",             // a stray byte
            "\xc3",             // the end comes too soon
            "\xc3(",            //
            "\xc0\xaf",         // '/' in too many bytes
            "\xe0\x80\xaf",     //
            "\xed\xa0\x80",     // a surrogate
            "\xf4\x90\x80\x80", // beyond U+10FFFF
            "\xff",
        };
        for (const char* text : broken)
            CHECK(utf8_length(text) == 0);
    }

    TEST_CASE("text of others in one line")
    {
        CHECK(readable("FATAL: base \xc3\xa9", 100) == "FATAL: base \xc3\xa9");
        CHECK(
            readable(
                "\xe9"
                "chou\xe9",
                100
            ) == "?chou?"
        ); // Latin-1
        CHECK(readable("a\nb\x1b[2J\x7f", 100) == "a?b?[2J?");
        CHECK(readable("\xc2\x9b", 100) == "?");  // CSI
        CHECK(readable("ab\xc3\xa9", 3) == "ab"); // not through a character
        CHECK(readable("", 3).empty());
    }
}
