// SPDX-License-Identifier: PostgreSQL
#include "health/dcs/base64.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health::dcs;

TEST_SUITE_BEGIN("dcs/base64");

TEST_CASE("the vectors of RFC 4648 hold in both directions")
{
    const struct
    {
        const char* bytes;
        const char* text;
    } rows[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"/service/demo/", "L3NlcnZpY2UvZGVtby8="},
        {"\xff\xfe\xfd", "//79"},
        {"\xfb\xef\xbe", "++++"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.text);
        CHECK(base64_encode(row.bytes) == row.text);
        CHECK(base64_decode(row.text) == row.bytes);
    }
}

TEST_CASE("every byte at every place comes back")
{
    std::string bytes;
    for (int i = 0; i < 256 * 3; ++i)
    {
        bytes += static_cast<char>(i * 7);
        CAPTURE(i);
        CHECK(base64_decode(base64_encode(bytes)) == bytes);
    }
}

TEST_CASE("what the encoder does not write is refused")
{
    const char* rows[] = {
        "Z",     // too short
        "Zg",    // no padding
        "Zg=",   // half of it
        "Zg===", // too much
        "=",
        "====",
        "Z===",     // one digit is no byte
        "Zh==",     // a bit too many
        "Zm9=",     // the same
        "Zg==Zg==", // padding within
        "Zm9v\n",
        "Zm 9v",
        "-_-_", // the alphabet for URLs
        "Zm9\x80",
        "***",
        "****",
    };
    for (const auto* row : rows)
    {
        CAPTURE(row);
        CHECK_FALSE(base64_decode(row).has_value());
    }
    CHECK_FALSE(base64_decode(std::string_view("Zm9\0", 4)).has_value());
}
