// SPDX-License-Identifier: PostgreSQL
#include "proxy/log_record.hpp"

#include <doctest/doctest.h>

#include <boost/json.hpp>

using namespace rolegate::proxy::log;
using rolegate::config::log_level;

namespace
{

constexpr auto time_told = "2026-11-22T20:30:00.007+01:00";

std::string session_end(form f)
{
    record r(f, log_level::info, time_told, "session_end");
    r.number("id", -7);
    r.word("listener", "write");
    r.word("member", "");
    r.text("user", "Robert'); DROP TABLE\n");
    return std::move(r).take();
}

} // namespace

TEST_SUITE_BEGIN("proxy/log_record");

TEST_CASE("a line in each form")
{
    CHECK(
        session_end(form::text) ==
        "2026-11-22T20:30:00.007+01:00 info event=session_end id=-7 listener=write member=- "
        "user=\"Robert'); DROP TABLE\\x0a\"\n"
    );
    CHECK(
        session_end(form::journal) == "<6>info event=session_end id=-7 listener=write member=- "
                                      "user=\"Robert'); DROP TABLE\\x0a\"\n"
    );
    CHECK(
        session_end(form::json) ==
        R"({"time":"2026-11-22T20:30:00.007+01:00","level":"info","event":"session_end","id":-7,)"
        R"("listener":"write","member":null,"user":"Robert'); DROP TABLE\u000a"})"
        "\n"
    );
    CHECK(boost::json::parse(session_end(form::json)).at("id").is_int64());
}

TEST_CASE("levels have the names of the configuration and syslog's numbers")
{
    const struct
    {
        log_level level;
        const char* text;
        const char* journal;
    } rows[] = {
        {log_level::debug, "T debug event=e\n", "<7>debug event=e\n"},
        {log_level::info, "T info event=e\n", "<6>info event=e\n"},
        {log_level::warning, "T warning event=e\n", "<4>warning event=e\n"},
        {log_level::error, "T error event=e\n", "<3>error event=e\n"},
    };
    for (const auto& row : rows)
    {
        CHECK(record(form::text, row.level, "T", "e").take() == row.text);
        CHECK(record(form::journal, row.level, "T", "e").take() == row.journal);
    }
}

TEST_CASE("names are cut at 64 bytes, sentences at 512")
{
    record r(form::text, log_level::info, "T", "e");
    r.text("name", std::string(100, 'x'), record::short_text);
    r.text("text", std::string(1000, 'y'));

    CHECK(
        std::move(r).take() == "T info event=e name=\"" + std::string(64, 'x') + "...\" text=\"" +
                                   std::string(512, 'y') + "...\"\n"
    );
}

TEST_CASE("what was said is said again under another time")
{
    for (const auto f : {form::text, form::journal, form::json})
    {
        record said(f, log_level::warning, "T1", "e");
        said.word("listener", "l");
        auto again = record::again(f, log_level::warning, "T2", said.body());
        again.number("repeated", 3);
        record whole(f, log_level::warning, "T2", "e");
        whole.word("listener", "l");
        whole.number("repeated", 3);

        CHECK(std::move(again).take() == std::move(whole).take());
    }
}
