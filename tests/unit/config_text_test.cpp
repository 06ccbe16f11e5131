// SPDX-License-Identifier: PostgreSQL
//
// The small pure helpers: quote, suggest, expand.
#include "config/expand.hpp"
#include "config/quote.hpp"
#include "config/suggest.hpp"

#include <doctest/doctest.h>

using namespace rolegate::config;

namespace
{

std::optional<std::string> small_environment(const std::string& name)
{
    if (name == "HOST")
        return "10.0.0.1";
    if (name == "EMPTY")
        return "";
    if (name == "_nested2")
        return "${HOST}$$";
    return std::nullopt;
}

} // namespace

TEST_SUITE_BEGIN("config/text");

TEST_CASE("quoted text is one line of bounded length")
{
    CHECK(quoted("") == "''");
    CHECK(quoted("a b") == "'a b'");
    CHECK(
        quoted("a\n\t\x7f"
               "b") == "'a???b'"
    );
    CHECK(quoted(std::string(64, 'x')) == "'" + std::string(64, 'x') + "'");
    CHECK(quoted(std::string(65, 'x')) == "'" + std::string(64, 'x') + "...'");
}

TEST_CASE("edit distance counts added, dropped, changed and swapped letters")
{
    struct row
    {
        std::string a;
        std::string b;
        std::size_t distance;
    };
    const row rows[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"interval", "interval", 0},
        {"intervall", "interval", 1},
        {"intrval", "interval", 1},
        {"imterval", "interval", 1},
        {"itnerval", "interval", 1},
        {"Interval", "interval", 0},
        {"fast-interval", "fast_interval", 1},
        {"kitten", "sitting", 3},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.a);
        CAPTURE(r.b);
        CHECK(edit_distance(r.a, r.b) == r.distance);
        CHECK(edit_distance(r.b, r.a) == r.distance);
    }
}

TEST_CASE("a suggestion is the nearest word, and none is made for another word")
{
    const std::vector<std::string> known{"bind", "interval", "fast_interval", "role"};

    CHECK(suggest("intervall", known) == "interval");
    CHECK(suggest("fastinterval", known) == "fast_interval");
    CHECK(suggest("BIND", known) == "bind");
    CHECK(suggest("rol", known) == "role");
    CHECK_FALSE(suggest("", known).has_value());
    CHECK_FALSE(suggest("x", known).has_value());
    CHECK_FALSE(suggest("colour", known).has_value());
    CHECK_FALSE(suggest(std::string(100'000, 'i'), known).has_value());
    CHECK(did_you_mean("bnid", known) == ", did you mean 'bind'?");
    CHECK(did_you_mean("colour", known).empty());
}

TEST_CASE("variables are expanded as in the shell")
{
    struct row
    {
        std::string text;
        std::string value;
    };
    const row rows[] = {
        {"", ""},
        {"plain", "plain"},
        {"${HOST}", "10.0.0.1"},
        {"${HOST}:8008", "10.0.0.1:8008"},
        {"a${HOST}b${HOST}c", "a10.0.0.1b10.0.0.1c"},
        {"${EMPTY}", ""},
        {"${HOST:-other}", "10.0.0.1"},
        {"${EMPTY:-other}", "other"},
        {"${UNSET:-other}", "other"},
        {"${UNSET:-}", ""},
        {"${UNSET:-[::1]:80}", "[::1]:80"},
        {"$${HOST}", "${HOST}"},
        {"$$", "$"},
        {"$$$$", "$$"},
        {"$", "$"},
        {"a$b", "a$b"},
        {"$HOST", "$HOST"},
        {"}", "}"},
        // What a variable holds is taken as it is.
        {"${_nested2}", "${HOST}$$"},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.text);
        const expanded_text expanded = expand(r.text, small_environment);
        CHECK(expanded.error.empty());
        CHECK(expanded.value == r.value);
    }
}

TEST_CASE("a variable that cannot be expanded says why")
{
    struct row
    {
        std::string text;
        std::string error;
    };
    const row rows[] = {
        {"${UNSET}", "environment variable 'UNSET' is not set"},
        {"x${HOST", "\"${\" without its \"}\" (a literal dollar is \"$$\")"},
        {"${", "\"${\" without its \"}\" (a literal dollar is \"$$\")"},
        {"${}", "'' is not the name of an environment variable"},
        {"${:-x}", "'' is not the name of an environment variable"},
        {"${1A}", "'1A' is not the name of an environment variable"},
        {"${A-b}", "'A-b' is not the name of an environment variable"},
        {"${UNSET:-${HOST}}", "a default cannot hold another ${...}"},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.text);
        const expanded_text expanded = expand(r.text, small_environment);
        CHECK_FALSE(expanded.value.has_value());
        CHECK(expanded.error == r.error);
    }
}

TEST_SUITE_END();
