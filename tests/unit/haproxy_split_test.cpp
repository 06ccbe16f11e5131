// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/split.hpp"

#include "config/haproxy/number.hpp"
#include "config/haproxy/place.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace rolegate::config;
using haproxy::split;

namespace
{

using words = std::vector<std::string>;

std::optional<std::string> environment(const std::string& name)
{
    if (name == "EMPTY")
        return "";
    return name == "PORT" ? std::optional<std::string>("5000") : std::nullopt;
}

words words_of(std::string_view line)
{
    const auto parts = split(line, environment);
    CHECK(parts.error == "");
    return parts.words;
}

std::string error_of(std::string_view line)
{
    return split(line, environment).error;
}

std::string binds_of(std::string_view text)
{
    std::string out;
    const auto parsed = haproxy::parse_binds(text);
    for (const host_port& p : parsed.value)
        out += (out.empty() ? "" : " ") + p.host + "|" + std::to_string(p.port);
    return parsed.error.empty() ? out : "error";
}

std::string server_of(std::string_view text)
{
    const auto parsed = haproxy::parse_server(text);
    if (!parsed.error.empty())
        return "error";
    return parsed.host + "|" + (parsed.port ? std::to_string(*parsed.port) : "-");
}

} // namespace

TEST_SUITE_BEGIN("config/haproxy/split");

TEST_CASE("H-100 words are split at spaces and tabs, a comment begins anywhere outside of quotes")
{
    CHECK(words_of("  bind\t*:5000  name x ") == words{"bind", "*:5000", "name", "x"});
    CHECK(words_of("global#x") == words{"global"});
    CHECK(words_of("a \"b#c\" '#' \\# # d") == words{"a", "b#c", "#", "#"});
    CHECK(words_of("# nothing").empty());
    CHECK(words_of("").empty());
    CHECK(words_of("mode tcp\r") == words{"mode", "tcp"});
}

TEST_CASE("H-101 backslashes mean something outside of quotes and in double ones")
{
    CHECK(
        words_of(R"(a\ b \\ \' \" \n\r\t \x41b \q)") ==
        words{"a b", "\\", "'", "\"", "\n\r\t", "Ab", "\\q"}
    );
    CHECK(words_of(R"("a\"b\$" 'a\b"$PORT')") == words{"a\"b$", "a\\b\"$PORT"});
    CHECK(words_of("a\"b c\"'d e'f \"\"") == words{"ab cd ef", ""});
}

TEST_CASE("a line is no longer than 16 kB, however many words it has")
{
    std::string line;
    for (int i = 0; i < 8191; ++i)
        line += "a ";
    CHECK(words_of(line + "a").size() == 8192);
    CHECK(error_of(line + "abc") == "a line is longer than 16kB");
    CHECK(error_of(std::string(16385, 'a')) == "a line is longer than 16kB");
}

TEST_CASE("H-102 variables count in double quotes only")
{
    CHECK(
        words_of(R"(":$PORT" ":${PORT}x" $PORT '$PORT')") ==
        words{":5000", ":5000x", "$PORT", "$PORT"}
    );
    CHECK(words_of(R"("${NONE-7} ${EMPTY-7}|${NONE-}")") == words{"7 |"});
    CHECK(error_of(R"("$NONE")").find("'NONE' is not set") != std::string::npos);
    CHECK(error_of(R"("${PORT[*]}")") != "");
    CHECK(error_of(R"("${PORT")") != "");
    CHECK(error_of(R"("$")") != "");
}

TEST_CASE("H-103 what cannot be read is an error")
{
    CHECK(error_of("server a 1.2.3.4:5 \\").find("no continued lines") != std::string::npos);
    CHECK(error_of("a 'b") != "");
    CHECK(error_of("a \"b") != "");
    CHECK(error_of("a \\x4") != "");
    CHECK(error_of(std::string(20000, 'a')) != "");
}

TEST_CASE("H-106 times are milliseconds unless they say otherwise")
{
    using namespace std::chrono_literals;
    CHECK(haproxy::parse_time("30") == 30ms);
    CHECK(haproxy::parse_time("30m") == 30min);
    CHECK(haproxy::parse_time("2s") == 2s);
    CHECK(haproxy::parse_time("1d") == 24h);
    CHECK(haproxy::parse_time("1500us") == 2ms);
    CHECK(haproxy::parse_time("0") == 0ms);
    for (const char* wrong : {"", "s", "1.5s", "1m30s", "-1", "5min", "3000000000"})
        CHECK_FALSE(haproxy::parse_time(wrong));
}

TEST_CASE("H-140 binds in all their spellings")
{
    CHECK(binds_of("*:5000") == "*|5000");
    CHECK(binds_of(":5000") == "*|5000");
    CHECK(binds_of("0.0.0.0:5000") == "*|5000");
    CHECK(binds_of("ipv4@10.0.0.1:5000") == "10.0.0.1|5000");
    CHECK(binds_of(":::5000") == "::|5000");
    CHECK(binds_of("[::1]:5000") == "::1|5000");
    CHECK(binds_of("ipv6@::1:5000") == "::1|5000");
    CHECK(binds_of("localhost:5000") == "127.0.0.1|5000");
    CHECK(
        binds_of("127.0.0.1:6001-6003,127.0.0.1:6010") ==
        "127.0.0.1|6001 127.0.0.1|6002 127.0.0.1|6003 127.0.0.1|6010"
    );
    CHECK(binds_of("/run/pg.sock") == "/run/pg.sock|0");
    CHECK(binds_of("unix@/run/pg.sock") == "/run/pg.sock|0");
    for (const char* wrong :
         {"",
          "*",
          "5000",
          "abns@x",
          "fd@3",
          "quic4@:443",
          "pg.example:5000",
          "*:0",
          "*:70000",
          "*:6003-6001",
          "*:1-65535",
          "unix@x"})
        CHECK_MESSAGE(binds_of(wrong) == "error", wrong);
}

TEST_CASE("servers in all their spellings")
{
    CHECK(server_of("10.0.0.1:5432") == "10.0.0.1|5432");
    CHECK(server_of("db-1:5432") == "db-1|5432");
    CHECK(server_of("::1:5432") == "::1|5432");
    CHECK(server_of("[fd00::1]:5432") == "fd00::1|5432");
    CHECK(server_of("[fd00::1]") == "fd00::1|-");
    CHECK(server_of("db-1") == "db-1|-");
    CHECK(server_of("db-1:+100") == "db-1|-");
    for (const char* wrong : {"", "unix@/x", "/x", "10.0.0:5432", "db_1!:1", "db-1:x", "*:5432"})
        CHECK_MESSAGE(server_of(wrong) == "error", wrong);
}

TEST_SUITE_END();
