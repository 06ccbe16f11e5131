// SPDX-License-Identifier: PostgreSQL
//
// No sockets here, but log.cpp belongs to the program's library, which unit_tests does not link.
#include "proxy/log.hpp"

#include <doctest/doctest.h>

using rolegate::proxy::log::quoted;
using namespace std::string_view_literals;

TEST_SUITE_BEGIN("proxy/log");

TEST_CASE("text is quoted where it needs it, and can never break its line")
{
    const struct
    {
        std::string_view text;
        const char* logged;
    } rows[] = {
        {"app", "app"},
        {"pg-1.example:5432", "pg-1.example:5432"},
        {"", "\"\""},
        {"two words", "\"two words\""},
        {"key=value", "\"key=value\""},
        {"it's", "\"it's\""},
        {"say \"hi\"", R"("say \"hi\"")"},
        {R"(back\slash)", R"("back\\slash")"},
        {R"(\)", R"("\\")"},
        {"\"", R"("\"")"},
        {"a\nevent=forged", R"("a\x0aevent=forged")"},
        {"a\r\n", R"("a\x0d\x0a")"},
        {"tab\t", R"("tab\x09")"},
        {"\x1b[31mred", R"("\x1b[31mred")"},
        {"del\x7f", R"("del\x7f")"},
        {"nul\0l"sv, R"("nul\x00l")"},
        {"größe", "größe"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.logged);
        CHECK(quoted(row.text) == row.logged);
    }
}

TEST_CASE("text is cut at 64 bytes, and says so")
{
    const std::string fits(64, 'x');

    CHECK(quoted(fits) == fits);
    CHECK(quoted(fits + "x") == "\"" + fits + "...\"");
    CHECK(quoted(std::string(1 << 20, 'x')) == "\"" + fits + "...\"");
    CHECK(quoted(std::string(63, 'x') + "\n") == "\"" + std::string(63, 'x') + "\\x0a\"");
    CHECK(quoted(fits + "\n") == "\"" + fits + "...\"");
}

TEST_CASE("where more is wanted, the limit is another")
{
    CHECK(quoted("abcdef", 6) == "abcdef");
    CHECK(quoted("abcdef", 5) == "\"abcde...\"");
    CHECK(quoted("abcdef", 0) == "\"...\"");
}

TEST_CASE("a hostile text grows no more than fourfold")
{
    const std::string hostile(1000, '\0');

    CHECK(quoted(hostile).size() == 64 * 4 + 5);
}
