// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/operations.hpp"

#include "proxy/cli/colour.hpp"
#include "proxy/cli/reload_text.hpp"

#include <doctest/doctest.h>

using namespace rolegate::proxy::cli;

TEST_SUITE_BEGIN("cli/operations");

TEST_CASE("sessions are a table, with what is not known as a dash")
{
    CHECK(
        sessions_table(
            R"({"total": 9, "sessions": [
                {"id": 12, "client": "10.0.0.9:555", "listener": "write", "member": "pg-1",
                 "user": "app", "database": "orders", "state": "in transaction", "age_ms": 61000,
                 "bytes_in": 100, "bytes_out": 20480},
                {"id": 7, "client": "unix", "listener": "read", "member": null, "user": null,
                 "database": null, "state": "held", "age_ms": 5, "bytes_in": 0, "bytes_out": 0}]})"
        ) ==
        R"(ID  CLIENT        LISTENER  MEMBER  USER  DATABASE  STATE           AGE        IN         OUT
12  10.0.0.9:555  write     pg-1    app   orders    in transaction  1 min 1 s  100 bytes  20 kB
7   unix          read      -       -     -         held            5 ms       0 bytes    0 bytes

9 sessions, the 2 oldest shown
)"
    );
    CHECK(sessions_table(R"({"total": 0, "sessions": []})") == "0 sessions\n");
}

TEST_CASE("an order is answered in words, and what it brings about")
{
    CHECK(
        order_text(R"({"cluster": "main", "member": "pg-1", "state": "drain",
                       "warnings": ["listener write has no member now"]})") ==
        "member main/pg-1: drain\nwarning: listener write has no member now\n"
    );
    CHECK(order_text(R"({"session": 12, "killed": true})") == "session 12: ended\n");
    CHECK(
        order_text(R"({"session": 12, "killed": false, "result": "ending"})") ==
        "session 12: was ending already\n"
    );
}

TEST_CASE("a reload is answered with what has changed and what does not hold yet")
{
    CHECK(
        reload_text(R"({"changes": ["a -> b"], "needs_restart": ["workers 1 -> 2"],
                        "waiting": ["cluster main: not yet"]})") ==
        "a -> b\nworkers 1 -> 2 (needs a restart)\ncluster main: not yet\n"
    );
    CHECK(
        reload_text(R"({"changes": [], "needs_restart": [], "waiting": ["cluster main: not yet"]})"
        ) == "nothing has changed; certificates are read again\ncluster main: not yet\n"
    );
}

TEST_CASE("colours are for words of their own, and change no column")
{
    CHECK(
        coloured("MEMBER  ROLE\na  yes  eyes yes-1\n") ==
        "\x1b[1mMEMBER  ROLE\x1b[0m\na  \x1b[32myes\x1b[0m  eyes yes-1\n"
    );
    CHECK(
        coloured("cluster main: no primary, STALE") ==
        "cluster main: \x1b[31mno primary\x1b[0m, \x1b[31mSTALE\x1b[0m"
    );
    CHECK(coloured("") == "");
}

TEST_SUITE_END();
