// SPDX-License-Identifier: PostgreSQL
//
// The log as a process has it. In one of its own: what init() starts never ends.
#include "proxy/log.hpp"
#include "tests/support/captured_log.hpp"

#include <doctest/doctest.h>

#include <sys/wait.h>

using namespace rolegate;
using namespace rolegate::support;
namespace log_room = rolegate::proxy::log;

TEST_SUITE("log: form")
{
    TEST_CASE("what was kept back is told in the form that it was noted in")
    {
        const captured_log log;
        const auto child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0)
        {
            log_room::init(config::log_level::info, config::log_format::text);
            for (int i = 0; i < 3; ++i)
                log_room::line(config::log_level::info, "again").limit(1, {{"error", "x"}});
            log_room::init(config::log_level::info, config::log_format::json);
            log_room::line(config::log_level::info, "other");
            log_room::flush();
            ::_exit(0);
        }
        int status = -1;
        REQUIRE(::waitpid(child, &status, 0) == child);
        CHECK(status == 0);
        CHECK(log.count("event=again error=x repeated=2\n") == 1);
        CHECK(log.count("\"repeated\"") == 0);
        CHECK(log.count("\"event\":\"other\"") == 1);
    }
}
