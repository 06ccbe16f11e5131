// SPDX-License-Identifier: PostgreSQL
#include "config/units.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace rolegate::config;
using std::chrono::milliseconds;

TEST_SUITE_BEGIN("config/units");

TEST_CASE("durations are whole numbers with a unit")
{
    struct row
    {
        std::string text;
        std::int64_t ms;
    };
    const row rows[] = {
        {"0", 0},
        {"0ms", 0},
        {"0s", 0},
        {"1ms", 1},
        {"250ms", 250},
        {"2s", 2000},
        {"007s", 7000},
        {"30m", 1'800'000},
        {"5min", 300'000},
        {"1h", 3'600'000},
        {"1d", 86'400'000},
        {"24d", 2'073'600'000},
        {"2147483647ms", 2'147'483'647},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.text);
        const auto parsed = parse_duration(r.text);
        REQUIRE(parsed.has_value());
        CHECK(parsed->count() == r.ms);
    }
}

TEST_CASE("what could be meant in two ways, or does not fit 32 bits of ms, is no duration")
{
    const std::string texts[] = {
        "",
        "12",
        "00",
        "-1s",
        "+1s",
        "1.5s",
        "1 s",
        " 1s",
        "1s ",
        "1S",
        "1MS",
        "s",
        "ms",
        "1us",
        "1w",
        "1x",
        "1ss",
        "0x1s",
        "1e3s",
        "1s2s",
        "25d",
        "2147483648ms",
        "597h",
        "99999999999999999999s",
        "9223372036854775807d",
    };

    for (const std::string& text : texts)
    {
        CAPTURE(text);
        CHECK_FALSE(parse_duration(text).has_value());
    }
}

TEST_CASE("sizes count in powers of 1024, with PostgreSQL's spelling of the units")
{
    struct row
    {
        std::string text;
        std::int64_t bytes;
    };
    const row rows[] = {
        {"0", 0},
        {"512", 512},
        {"512B", 512},
        {"64kB", 65'536},
        {"10MB", 10'485'760},
        {"1GB", 1'073'741'824},
        {"1TB", 1'099'511'627'776},
        {"9223372036854775807", std::numeric_limits<std::int64_t>::max()},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.text);
        CHECK(parse_size(r.text) == r.bytes);
    }
    for (const std::string text :
         {"",
          "-1",
          "1KB",
          "1mb",
          "1.5MB",
          "1 MB",
          "MB",
          "9223372036854775808",
          "9007199254740992kB",
          "8388608TB"})
    {
        CAPTURE(text);
        CHECK_FALSE(parse_size(text).has_value());
    }
}

TEST_CASE("durations are written with the largest unit that divides them")
{
    struct row
    {
        std::int64_t ms;
        std::string text;
    };
    const row rows[] = {
        {0, "0"},
        {1, "1ms"},
        {999, "999ms"},
        {1000, "1s"},
        {1500, "1500ms"},
        {2000, "2s"},
        {60'000, "1m"},
        {90'000, "90s"},
        {3'600'000, "1h"},
        {5'400'000, "90m"},
        {86'400'000, "1d"},
        {129'600'000, "36h"},
        {2'147'483'647, "2147483647ms"},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.ms);
        CHECK(format_duration(milliseconds(r.ms)) == r.text);
        CHECK(parse_duration(format_duration(milliseconds(r.ms))) == milliseconds(r.ms));
    }
}

TEST_CASE("sizes are written in the largest unit that divides them")
{
    struct row
    {
        std::int64_t bytes;
        const char* text;
    };
    const row rows[] = {
        {1, "1B"},
        {1023, "1023B"},
        {1024, "1kB"},
        {1536, "1536B"},
        {65'536, "64kB"},
        {std::int64_t{16} << 20, "16MB"},
        {std::int64_t{3} << 40, "3TB"},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.bytes);
        CHECK(format_size(r.bytes) == r.text);
        CHECK(parse_size(format_size(r.bytes)) == r.bytes);
    }
}

TEST_SUITE_END();
