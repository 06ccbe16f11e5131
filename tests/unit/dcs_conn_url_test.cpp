// SPDX-License-Identifier: PostgreSQL
#include "health/dcs/conn_url.hpp"

#include <doctest/doctest.h>

using rolegate::health::dcs::parse_conn_url;

TEST_SUITE_BEGIN("dcs/conn_url");

TEST_CASE("host and port are read from every form that Patroni has written")
{
    const struct
    {
        const char* url;
        const char* host;
        int port;
        const char* api_url;
    } rows[] = {
        {"postgres://10.0.0.2:5433/postgres", "10.0.0.2", 5433, ""},
        {"postgresql://pg1.example.org:5432/postgres", "pg1.example.org", 5432, ""},
        {"postgres://pg1/postgres", "pg1", 5432, ""},
        {"postgres://pg1", "pg1", 5432, ""},
        {"postgres://pg1:/postgres", "pg1", 5432, ""},
        {"postgres://pg1:65535", "pg1", 65535, ""},
        {"postgres://[fd00::1]:5433/postgres", "fd00::1", 5433, ""},
        {"postgres://[fd00::1]/postgres", "fd00::1", 5432, ""},
        {"postgres://[fe80::1%25eth0]:5432/postgres", "fe80::1%eth0", 5432, ""},
        {"postgres://[fe80::1%eth0]:5432/postgres", "fe80::1%eth0", 5432, ""},
        {"postgres://%70g%31:5432/postgres", "pg1", 5432, ""},
        {"postgres://user:pass@pg1:5433/postgres", "pg1", 5433, ""},
        {"postgres://user:p%40s:s@x@pg1:5433/postgres", "pg1", 5433, ""},
        {"postgres://pg1?sslmode=require", "pg1", 5432, ""},
        {"postgres://r:x@127.0.0.1:5432/postgres?application_name=http://127.0.0.1:8008/patroni",
         "127.0.0.1",
         5432,
         "http://127.0.0.1:8008/patroni"},
        {"postgres://pg1/postgres?a=b&application_name=http%3A%2F%2Fpg1%3A8008&c=d#e",
         "pg1",
         5432,
         "http://pg1:8008"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.url);
        const auto url = parse_conn_url(row.url);
        REQUIRE(url.has_value());
        CHECK(url->host == row.host);
        CHECK(url->port == row.port);
        CHECK(url->api_url == row.api_url);
    }
}

TEST_CASE("what names no host or no port is no address")
{
    const char* rows[] = {
        "",
        "postgres",
        "postgres:",
        "postgres://",
        "postgres:///postgres",
        "postgres://:5432/",
        "http://10.0.0.1:5432/",
        "10.0.0.1:5432",
        "postgres://pg1:0/",
        "postgres://pg1:65536/",
        "postgres://pg1:-1/",
        "postgres://pg1:54 32/",
        "postgres://pg1:x/",
        "postgres://[fd00::1/",
        "postgres://[]:5432/",
        "postgres://[fd00::1]5432/",
        "postgres://fd00::1:5432/",
        "postgres://user@:5432/"};
    for (const auto* row : rows)
    {
        CAPTURE(row);
        CHECK_FALSE(parse_conn_url(row).has_value());
    }
}
