// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/operation.hpp"

#include <doctest/doctest.h>

using namespace rolegate::proxy::admin;
using rolegate::config::host_port;

TEST_SUITE_BEGIN("proxy/admin/operation");

TEST_CASE("an operation is named by its path")
{
    const auto pause = find_operation("/api/v1/listeners/write/pause");
    REQUIRE(pause);
    CHECK(pause->kind == operation::what::pause);
    CHECK(pause->listener == "write");
    const auto resume = find_operation("/api/v1/listeners/read-2/resume?x=1");
    REQUIRE(resume);
    CHECK(resume->kind == operation::what::resume);
    CHECK(resume->listener == "read-2");

    const auto reload = find_operation("/api/v1/reload");
    REQUIRE(reload);
    CHECK(reload->kind == operation::what::reload);

    for (const auto* path :
         {"/",
          "/api/v1/listeners/",
          "/api/v1/listeners/write",
          "/api/v1/listeners/write/",
          "/api/v1/listeners//pause",
          "/api/v1/listeners/write/pause/",
          "/api/v1/listeners/write/paused",
          "/api/v1/status"})
    {
        CAPTURE(path);
        CHECK_FALSE(find_operation(path));
    }
}

TEST_CASE("who may operate: whoever reaches this host's own port, but no web page")
{
    const auto status = [](const char* method, const char* origin, const char* host)
    {
        const auto refused = refuse_operation(method, origin, host_port{host, 7000});
        return refused ? refused->status : 200;
    };
    CHECK(status("POST", "", "127.0.0.1") == 200);
    CHECK(status("POST", "", "127.3.2.1") == 200);
    CHECK(status("POST", "", "::1") == 200);
    CHECK(status("POST", "", "localhost") == 200);
    CHECK(status("POST", "", "*") == 403);
    CHECK(status("POST", "", "::") == 403);
    CHECK(status("POST", "", "10.0.0.1") == 403);
    CHECK(status("POST", "http://evil.example", "127.0.0.1") == 403);
    CHECK(status("POST", "null", "127.0.0.1") == 403);
    CHECK(status("GET", "", "127.0.0.1") == 405);
    CHECK(refuse_operation("GET", "", host_port{"127.0.0.1", 7000})->allow == "POST");
}

TEST_CASE("what was done is said in JSON")
{
    CHECK(
        done({operation::what::pause, "write"}).body == R"({"listener":"write","paused":true})"
                                                        "\n"
    );
    CHECK(
        done({operation::what::resume, "r"}).body == R"({"listener":"r","paused":false})"
                                                     "\n"
    );
}

TEST_CASE("a reload is answered with what has changed, or with everything that is wrong")
{
    rolegate::proxy::reload_report r;
    r.changes = {"log: level info -> debug"};
    r.waiting = {"workers 1 -> 2"};
    CHECK(reload_answer(r).status == 200);
    CHECK(
        reload_answer(r).body ==
        R"({"changes":["log: level info -> debug"],"needs_restart":["workers 1 -> 2"]})"
        "\n"
    );
    r = {};
    r.problems = {"f:1:1: no", "f:2:1: nor this"};
    CHECK(reload_answer(r).status == 422);
    CHECK(
        reload_answer(r).body ==
        R"({"error":"nothing has changed: f:1:1: no","problems":["f:1:1: no","f:2:1: nor this"]})"
        "\n"
    );
}

TEST_SUITE_END();
