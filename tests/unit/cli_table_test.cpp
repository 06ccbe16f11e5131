// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/table.hpp"

#include "proxy/admin/routes.hpp"
#include "proxy/cli/format.hpp"
#include "tests/support/sample_view.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using namespace rolegate::proxy::cli;
using support::sample_topology;
using support::sample_view;

namespace
{

std::string api(const char* path, const proxy::process_view& view)
{
    return proxy::admin::answer("GET", path, view).body;
}

} // namespace

TEST_SUITE_BEGIN("cli/table");

TEST_CASE("the status is a table of clusters, members and listeners")
{
    CHECK(
        status_table(api("/api/v1/status", sample_view())) ==
        R"(cluster main: primary pg-1, lock held by pg-1 for 2 h, generation 7, seen 120 ms ago
MEMBER  ROLE     STATE    TL  LAG    SESSIONS  WRITE  READ  REASON
pg-1    primary  running  7   -      4         yes    no    holds the leader lock and is a running primary
pg-2    replica  running  7   16 kB  4         no     yes   is a running replica
pg-3    replica  running  7   -      0         no     no    does not answer

LISTENER  BIND          CLUSTER  ROLE     SESSIONS  HELD  MEMBERS
write     0.0.0.0:5432  main     primary  3         1     pg-1
read      0.0.0.0:5433  main     replica  5         0     pg-2
)"
    );
}

TEST_CASE("explain shows each verdict and what it rests on")
{
    CHECK(
        explain_text(api("/api/v1/explain/read", sample_view())) ==
        R"(listener read (role replica, cluster main): ready
  pg-1  not routable (closed)  is-primary: is a primary
                               role primary, state running, timeline 7, lag -; spoke 120 ms ago, listed 80 ms ago
  pg-2  routable               running-replica: is a running replica
                               role replica, state running, timeline 7, lag 16 kB; spoke 120 ms ago, listed 80 ms ago
  pg-3  not routable (keep)    silent: does not answer
                               role replica, state running, timeline 7, lag -; spoke 120 ms ago, listed 80 ms ago; error: Connection refused

cluster main: primary pg-1, lock held by pg-1 for 2 h, generation 7, seen 120 ms ago
  lock: said by 10.0.0.1:8008 120 ms ago
  last change: lock held by pg-1
  pg-1 asked over rest: ok 11
  pg-3 asked over rest: error 3, ok 2; error 300 ms ago: Connection refused
)"
    );
}

TEST_CASE("a cluster that was never seen is shown as such")
{
    health::topology t;
    t.cluster = "main";
    auto view = sample_view(t);
    view.listeners.pop_back();

    CHECK(
        status_table(api("/api/v1/status", view)) ==
        R"(cluster main: no primary, lock unknown, generation 0, never seen
MEMBER  ROLE  STATE  TL  LAG  SESSIONS  WRITE  READ  REASON

LISTENER  BIND          CLUSTER  ROLE     SESSIONS  HELD  MEMBERS
write     0.0.0.0:5432  main     primary  3         1     -
)"
    );
}

TEST_CASE("control characters of a name do not reach the terminal")
{
    auto t = sample_topology();
    t.members[0].name = "\x1b[31mred\r\n";

    const auto text = status_table(api("/api/v1/status", sample_view(t)));

    CHECK(text.find('\x1b') == text.npos);
    CHECK(text.find("\\x1b[31mred\\x0d\\x0a") != text.npos);
}

TEST_CASE("what the proxy does not say is a dash")
{
    CHECK(
        status_table(R"({"clusters": {"main": {"members": [{"name": "pg-1"}, 7]}}})") ==
        R"(cluster main: no primary, lock unknown, generation -, never seen
MEMBER  ROLE  STATE  TL  LAG  SESSIONS  WRITE  READ  REASON
pg-1    -     -      -   -    -         -      -     -
-       -     -      -   -    -         -      -     -

LISTENER  BIND  CLUSTER  ROLE  SESSIONS  HELD  MEMBERS
)"
    );
    CHECK(status_table("[]").find("LISTENER") == 0);
    CHECK(explain_text("{}").empty());
    CHECK_THROWS(status_table("<html>"));
    CHECK_THROWS(explain_text(""));
}

TEST_CASE("printable")
{
    CHECK(printable("pg-1 \xc3\xa9") == "pg-1 \xc3\xa9");
    CHECK(
        printable("a\tb\x7f") == "a\\x09"
                                 "b\\x7f"
    );
    CHECK(
        printable("\xc2\x9b"
                  "31m") == "\\x9b"
                            "31m"
    ); // CSI in one character
    CHECK(printable("\xc2\xa0") == "\xc2\xa0");
    CHECK(printable("\xc2") == "\xc2");
}

TEST_CASE("durations")
{
    const struct
    {
        std::int64_t ms;
        const char* text;
    } rows[] = {
        {0, "0 ms"},
        {999, "999 ms"},
        {1000, "1.0 s"},
        {12340, "12.3 s"},
        {59999, "59.9 s"},
        {60000, "1 min"},
        {303000, "5 min 3 s"},
        {3600000, "1 h"},
        {7500000, "2 h 5 min"},
        {86400000, "1 d"},
        {273600000, "3 d 4 h"},
    };
    for (const auto& row : rows)
        CHECK(duration_text(row.ms) == row.text);
}

TEST_CASE("sizes are rounded as pg_size_pretty does")
{
    const struct
    {
        std::int64_t bytes;
        const char* text;
    } rows[] = {
        {0, "0 bytes"},
        {10239, "10239 bytes"},
        {10240, "10 kB"},
        {16384, "16 kB"},
        {25165824, "24 MB"},
        {10737418240, "10 GB"},
    };
    for (const auto& row : rows)
        CHECK(size_text(row.bytes) == row.text);
}

TEST_CASE("columns are as wide as their longest text in characters")
{
    CHECK(
        columns({{"A", "B"}, {"long", "x"}, {"\xc3\xa9", "y", "z"}}) == "A     B\n"
                                                                        "long  x\n"
                                                                        "\xc3\xa9     y  z\n"
    );
    CHECK(columns({}).empty());
}

TEST_SUITE_END();
