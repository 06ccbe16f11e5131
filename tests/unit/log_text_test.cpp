// SPDX-License-Identifier: PostgreSQL
#include "proxy/log_text.hpp"

#include <doctest/doctest.h>

#include <boost/json.hpp>

#include <random>

using namespace rolegate::proxy::log;
using namespace std::string_view_literals;

namespace
{

std::string quoted(std::string_view text, std::size_t limit = 64)
{
    std::string out;
    append_quoted(out, text, limit);
    return out;
}

std::string json(std::string_view text, std::size_t limit = 64)
{
    std::string out;
    append_json(out, text, limit);
    return out;
}

} // namespace

TEST_SUITE_BEGIN("proxy/log_text");

TEST_CASE("hostile text neither breaks its line nor speaks to a terminal")
{
    const struct
    {
        std::string_view text;
        const char* logged;
        const char* in_json;
    } rows[] = {
        {"app", "app", R"("app")"},
        {"", R"("")", R"("")"},
        {"two words", R"("two words")", R"("two words")"},
        {"say \"hi\"", R"("say \"hi\"")", R"("say \"hi\"")"},
        {R"(back\slash)", R"("back\\slash")", R"("back\\slash")"},
        {"a\nevent=forged", R"("a\x0aevent=forged")", R"("a\u000aevent=forged")"},
        {"\x1b[31mred", R"("\x1b[31mred")", R"("\u001b[31mred")"},
        {"del\x7f", R"("del\x7f")", R"("del\u007f")"},
        {"nul\0l"sv, R"("nul\x00l")", R"("nul\u0000l")"},
        {"größe", "größe", "\"größe\""},
        {"\xf0\x9f\x90\x98", "\xf0\x9f\x90\x98", "\"\xf0\x9f\x90\x98\""}, // an elephant
        {"csi\xc2\x9bm", R"("csi\xc2\x9bm")", R"("csi\u009bm")"},
        {"latin \xe9", R"("latin \xe9")", R"("latin \\xe9")"},
        {"\xe9", R"("\xe9")", R"("\\xe9")"},
        {"\xc0\xaf", R"("\xc0\xaf")", R"("\\xc0\\xaf")"},                           // too long
        {"\xed\xa0\x80", R"("\xed\xa0\x80")", R"("\\xed\\xa0\\x80")"},              // a surrogate
        {"\xf4\x90\x80\x80", R"("\xf4\x90\x80\x80")", R"("\\xf4\\x90\\x80\\x80")"}, // too high
        {"end \xe2\x82", R"("end \xe2\x82")", R"("end \\xe2\\x82")"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.logged);
        CHECK(quoted(row.text) == row.logged);
        CHECK(json(row.text) == row.in_json);
    }
}

TEST_CASE("it is cut between two characters")
{
    CHECK(quoted("abcdef", 3) == R"("abc...")");
    CHECK(json("abcdef", 3) == R"("abc...")");
    CHECK(json("abcdef", 6) == R"("abcdef")");
    CHECK(quoted("aö", 2) == R"("a...")");
    CHECK(json("aö", 2) == R"("a...")");
    CHECK(json("aöb", 3) == "\"aö...\"");
    CHECK(json("\xf0\x9f\x90\x98", 3) == R"("...")");
    CHECK(json("\xf0\x9f\x90\x98", 0) == R"("...")");
    // No character begins near the limit.
    CHECK(json("\x80\x80\x80\x80\x80\x80", 5) == R"("\\x80\\x80\\x80\\x80\\x80...")");
}

TEST_CASE("whatever the bytes are, JSON stays JSON, and a line one line")
{
    std::mt19937 random(1);
    for (int round = 0; round < 20000; ++round)
    {
        std::string text(random() % 12, '\0');
        for (auto& c : text)
            // Mostly what is special: controls, lead and trailing bytes.
            c = static_cast<char>(random() % 3 ? 0x80 + random() % 128 : random() % 128);
        const auto limit = random() % 14;
        boost::system::error_code ec;
        const auto value = boost::json::parse(json(text, limit), ec);
        CAPTURE(json(text, limit));
        REQUIRE(!ec);
        REQUIRE(value.is_string());
        for (const char c : quoted(text, limit) + json(text, limit))
            REQUIRE((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
    }
}
