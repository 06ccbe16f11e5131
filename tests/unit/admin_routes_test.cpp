// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/routes.hpp"

#include "tests/support/sample_view.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

using namespace rolegate;
using health::admission;
using proxy::admin::answer;
using support::sample_now;
using support::sample_topology;
using support::sample_view;
using namespace std::chrono_literals;

namespace
{

boost::json::value get_json(const std::string& path, const proxy::process_view& view)
{
    const auto r = answer("GET", path, view);
    CAPTURE(r.body);
    REQUIRE(r.status == 200);
    CHECK(r.content_type == "application/json");
    return boost::json::parse(r.body);
}

// Whether every key of `part` has the same value in `whole`, which may have more.
bool has(const boost::json::value& whole, const char* part)
{
    const auto wanted = boost::json::parse(part);
    for (const auto& [key, value] : wanted.as_object())
    {
        CAPTURE(key);
        const auto* found = whole.as_object().if_contains(key);
        CHECK((found && *found == value));
    }
    return true;
}

// The cluster in the middle of a promotion: pg-1 has the lock, and is not yet a primary.
health::topology promoting()
{
    auto t = sample_topology();
    t.members[0].role = health::member_role::replica;
    t.members[0].write = {
        admission::keep,
        "holder-not-ready",
        "holds the leader lock, but is 'replica' in state 'running'",
    };
    t.members[0].grants[0] = t.members[0].write;
    return t;
}

} // namespace

TEST_SUITE_BEGIN("admin/routes");

TEST_CASE("the status has what scripts rely on")
{
    const auto status = get_json("/api/v1/status", sample_view());

    CHECK(status.at("version") == "1.2.3");
    const auto& main = status.at("clusters").at("main");
    CHECK(main.at("primary") == "pg-1");
    CHECK(main.at("generation") == 7);
    CHECK(main.at("age_ms") == 120);
    CHECK(main.at("stale") == false);
    CHECK(main.at("pause") == false);
    CHECK(main.at("highest_timeline") == 7);
    CHECK(main.at("system_identifier") == "7000000000000000001");
    CHECK(main.at("lock") == boost::json::parse(R"({
        "state": "held", "holder": "pg-1", "source": "rest", "reporter": "10.0.0.1:8008",
        "by_lease": false, "age_ms": 120, "since_ms": 7200000, "ttl_left_ms": null})"));
    const auto& members = main.at("members").as_array();
    REQUIRE(members.size() == 3);
    CHECK(has(members[0], R"({
        "name": "pg-1", "host": "pg-1.example", "port": 5432, "role": "primary",
        "state": "running", "timeline": 7, "lag_bytes": null, "listed": true,
        "operator_state": "ready", "routable": {"write": true, "read": false}, "sessions": 4,
        "reason": "holds the leader lock and is a running primary"})"));
    CHECK(members[1].at("lag_bytes") == 16384);
    CHECK(members[1].at("routable") == boost::json::parse(R"({"write": false, "read": true})"));
    CHECK(members[1].at("reason") == "is a running replica");
    CHECK(members[2].at("reason") == "does not answer");
    CHECK(has(status.at("listeners").at("write"), R"({
        "bind": ["0.0.0.0:5432"], "match": null, "cluster": "main", "role": "primary",
        "sessions": 3, "held": 1, "paused": false, "members": ["pg-1"]})"));
    CHECK(has(status.at("listeners").at("read"), R"({
        "bind": ["0.0.0.0:5433"], "match": null, "cluster": "main", "role": "replica",
        "sessions": 5, "held": 0, "paused": false, "members": ["pg-2"]})"));
}

TEST_CASE("a member that an operator holds back is not routable, and the status says who did it")
{
    auto t = sample_topology();
    t.members[1].order = {health::operator_state::drain, "drained by dba at noon"};

    const auto status = get_json("/api/v1/status", sample_view(t));

    const auto& drained = status.at("clusters").at("main").at("members").as_array()[1];
    CHECK(drained.at("operator_state") == "drain");
    CHECK(drained.at("routable") == boost::json::parse(R"({"write": false, "read": false})"));
    CHECK(drained.at("reason") == "drained by dba at noon");
}

TEST_CASE("in a stale view nobody is routable, and the status says so")
{
    auto t = sample_topology();
    t.confirmed = sample_now - 12s;

    const auto status = get_json("/api/v1/status", sample_view(t));

    const auto& main = status.at("clusters").at("main");
    CHECK(main.at("stale") == true);
    CHECK(main.at("primary").is_null());
    for (const auto& m : main.at("members").as_array())
    {
        CHECK(m.at("routable") == boost::json::parse(R"({"write": false, "read": false})"));
        CHECK(m.at("reason") == "the view of cluster main is stale, last confirmed 12000 ms ago");
    }
    CHECK(status.at("listeners").at("write").at("members").as_array().empty());
}

TEST_CASE("of members that were configured and never seen it is said so, without an age")
{
    auto t = sample_topology();
    t.confirmed.reset();
    t.began = sample_now - 12s;

    const auto status = get_json("/api/v1/status", sample_view(t));

    const auto& main = status.at("clusters").at("main");
    CHECK(main.at("stale") == true);
    for (const auto& m : main.at("members").as_array())
        CHECK(m.at("reason") == "cluster main has not been seen yet");
}

TEST_CASE("a cluster that was never seen has no ages")
{
    health::topology t;
    t.cluster = "main";

    const auto status = get_json("/api/v1/status", sample_view(t));

    const auto& main = status.at("clusters").at("main");
    CHECK(main.at("age_ms").is_null());
    CHECK(main.at("system_identifier").is_null());
    CHECK(main.at("members").as_array().empty());
    CHECK(main.at("lock") == boost::json::parse(R"({
        "state": "unknown", "holder": null, "source": null, "reporter": null,
        "by_lease": false, "age_ms": null, "since_ms": null, "ttl_left_ms": null})"));
}

TEST_CASE("the status names what stands in a member's way, not that another has the lock")
{
    const auto status = get_json("/api/v1/status", sample_view(promoting()));

    const auto& members = status.at("clusters").at("main").at("members").as_array();
    CHECK(members[0].at("reason") == "holds the leader lock, but is 'replica' in state 'running'");
}

TEST_CASE("explain gives rule, reason and evidence of each verdict")
{
    const auto all = get_json("/api/v1/explain", sample_view());

    const auto& read = all.at("listeners").at("read");
    CHECK(read.at("ready") == true);
    CHECK(read.at("reason").is_null());
    const auto& members = read.at("members").as_array();
    REQUIRE(members.size() == 3);
    CHECK(members[2] == boost::json::parse(R"({
        "name": "pg-3", "routable": false, "verdict": "keep", "rule": "silent",
        "reason": "does not answer", "preferred": false, "share": null,
        "evidence": {"role": "replica", "state": "running", "state_text": "running",
                     "http_check": null, "timeline": 7, "lag_bytes": null, "lag_time_ms": null,
                     "sync_state": "unknown", "replication_state": null, "tags": {},
                     "listed": true, "listed_age_ms": 80, "word_age_ms": 120,
                     "error": "Connection refused", "sql": null,
                     "host": "pg-3.example", "port": 5432, "address": "10.0.0.1",
                     "api_url": "http://pg-3.example:8008/patroni"}})"));
    const auto& main = all.at("clusters").at("main");
    CHECK(main.at("lock").at("holder") == "pg-1");
    CHECK(main.at("cause") == "lock held by pg-1");
    CHECK(main.at("checks") == boost::json::parse(R"([
        {"member": "pg-1", "source": "rest", "results": {"ok": 11},
         "error": null, "error_age_ms": null},
        {"member": "pg-3", "source": "rest", "results": {"error": 3, "ok": 2},
         "error": "Connection refused", "error_age_ms": 300}])"));
}

TEST_CASE("explain tells how open members share new sessions")
{
    auto view = sample_view();
    view.listeners[1].settings.balance = rolegate::config::balance_algorithm::leastconn;
    view.listeners[1].shares["pg-2"] = {7, 100, false, 6};

    const auto read = get_json("/api/v1/explain", view).at("listeners").at("read");

    CHECK(read.at("balance") == "leastconn");
    const auto& members = read.at("members").as_array();
    CHECK(members[0].at("share").is_null());
    CHECK(
        members[1].at("share") ==
        boost::json::parse(R"({"weight": 7, "of": 100, "throttle": 6, "idle_backup": false})")
    );
}

TEST_CASE("explain can be asked about one listener")
{
    const auto one = get_json("/api/v1/explain/read", sample_view());

    CHECK(one.at("listeners").as_object().size() == 1);
    CHECK(one.at("listeners").as_object().contains("read"));
    CHECK(answer("GET", "/api/v1/explain/nope", sample_view()).status == 404);
    CHECK(answer("GET", "/api/v1/explain/", sample_view()).status == 404);
}

TEST_CASE("a seed that fails is named before the cluster has been seen")
{
    health::topology t;
    t.cluster = "main";
    auto view = sample_view(t);
    view.clusters[0].checks.checks = {{{"10.0.0.9:8008", "rest", "error"}, 4}};
    view.clusters[0].failures = {
        {{"10.0.0.9:8008", "rest", "/cluster"}, {"Connection refused", sample_now}}};

    const auto ready = answer("GET", "/readyz", view);
    const auto explain = answer("GET", "/api/v1/explain", view);

    CHECK(ready.status == 503);
    CHECK(
        ready.body ==
        "write: cluster main has not been seen yet: 10.0.0.9:8008: Connection refused\n"
        "read: cluster main has not been seen yet: 10.0.0.9:8008: Connection refused\n"
    );
    CHECK(explain.body.find("10.0.0.9:8008") != explain.body.npos);
}

TEST_CASE("ready means that every listener has a member")
{
    auto nobody = sample_topology();
    for (auto& m : nobody.members)
        m.write = m.grants[0] = {admission::closed, "no-lock", "nobody holds the leader lock"};
    auto stale = sample_topology();
    stale.confirmed = sample_now - 12s;
    auto empty = sample_topology();
    empty.members.clear();

    const struct
    {
        const char* name;
        proxy::process_view view;
        const char* path;
        int status;
        const char* body;
    } rows[] = {
        {"all is well", sample_view(), "/readyz", 200, "ok\n"},
        {"a promotion",
         sample_view(promoting()),
         "/readyz",
         503,
         "write: no member is open: "
         "pg-1: holds the leader lock, but is 'replica' in state 'running'\n"},
        {"only the other listener is asked for",
         sample_view(promoting()),
         "/readyz/read",
         200,
         "ok\n"},
        {"members with the same reason",
         sample_view(nobody),
         "/readyz/write",
         503,
         "write: no member is open: pg-1, pg-2, pg-3: nobody holds the leader lock\n"},
        {"stale",
         sample_view(stale),
         "/readyz/write",
         503,
         "write: the view of cluster main is stale, last confirmed 12000 ms ago: "
         "pg-3: Connection refused\n"},
        {"no members",
         sample_view(empty),
         "/readyz/write",
         503,
         "write: cluster main lists no member: pg-3: Connection refused\n"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        const auto r = answer("GET", row.path, row.view);
        CHECK(r.status == row.status);
        CHECK(r.body == row.body);
    }
}

TEST_CASE("a process that shuts down, or a listener that is not bound, is not ready")
{
    auto leaving = sample_view();
    leaving.shutting_down = true;
    auto unbound = sample_view();
    unbound.listeners[1].bound.clear();

    CHECK(answer("GET", "/readyz", leaving).body == "write: shutting down\nread: shutting down\n");
    CHECK(answer("GET", "/readyz", unbound).body == "read: not bound\n");
    CHECK(answer("GET", "/readyz", unbound).status == 503);
    CHECK(answer("GET", "/livez", leaving).status == 200);
}

TEST_CASE("a reason with a line break stays on its line")
{
    auto t = promoting();
    t.members[0].grants[0].reason = "says\nwrite: ok";

    const auto r = answer("GET", "/readyz", sample_view(t));

    CHECK(r.body == "write: no member is open: pg-1: says write: ok\n");
}

TEST_CASE("names with quotes and control characters are escaped in JSON")
{
    auto t = sample_topology();
    t.members[0].name = "a\"b\x1b\nc";

    const auto r = answer("GET", "/api/v1/status", sample_view(t));

    CHECK(r.body.find('\x1b') == r.body.npos);
    const auto status = boost::json::parse(r.body);
    CHECK(status.at("clusters").at("main").at("members").at(0).at("name") == "a\"b\x1b\nc");
}

TEST_CASE("paths and methods")
{
    const struct
    {
        const char* method;
        const char* target;
        int status;
        const char* type;
    } rows[] = {
        {"GET", "/", 200, "text/html; charset=utf-8"},
        {"GET", "/api", 200, "text/plain; charset=utf-8"},
        {"GET", "/livez", 200, "text/plain; charset=utf-8"},
        {"HEAD", "/livez", 200, "text/plain; charset=utf-8"},
        {"GET", "/livez?verbose", 200, "text/plain; charset=utf-8"},
        {"GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"},
        {"GET", "/api/v1/status?x=/nope", 200, "application/json"},
        {"GET", "/readyz/nope", 404, "application/json"},
        {"GET", "/nope", 404, "application/json"},
        {"POST", "/nope", 404, "application/json"},
        {"GET", "", 404, "application/json"},
        {"GET", "/livez/", 404, "application/json"},
        {"GET", "//livez", 404, "application/json"},
        {"POST", "/livez", 405, "application/json"},
        {"DELETE", "/api/v1/status", 405, "application/json"},
        {"get", "/livez", 405, "application/json"},
    };
    const auto view = sample_view();
    for (const auto& row : rows)
    {
        CAPTURE(row.method);
        CAPTURE(row.target);
        const auto r = answer(row.method, row.target, view);
        CHECK(r.status == row.status);
        CHECK(r.content_type == row.type);
        if (r.status >= 400)
            CHECK(boost::json::parse(r.body).as_object().contains("error"));
    }
}

TEST_CASE("an error repeats only what is printable of a path, and not all of a long one")
{
    const auto strange = answer("GET", "/\x1b[2J\xff", sample_view());
    const auto long_path = answer("GET", "/" + std::string(8000, 'x'), sample_view());

    CHECK(strange.body == "{\"error\":\"no such path: /?[2J?\"}\n");
    CHECK(long_path.body.size() < 300);
}

TEST_SUITE_END();
