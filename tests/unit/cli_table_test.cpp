// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/table.hpp"

#include "proxy/admin/routes.hpp"
#include "proxy/cli/format.hpp"
#include "tests/support/sample_view.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using namespace rolegate::proxy::cli;
using namespace std::chrono_literals;
using support::sample_topology;
using support::sample_view;

namespace
{

std::string api(const char* path, const proxy::process_view& view)
{
    return proxy::admin::answer("GET", path, view).body;
}

bool has(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_SUITE_BEGIN("cli/table");

TEST_CASE("the status is a table of clusters, members and listeners")
{
    CHECK(
        status_table(api("/api/v1/status", sample_view())) ==
        R"(cluster main: primary pg-1, lock held by pg-1 for 2 h (rest), generation 7, seen 120 ms ago
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
                               role primary, state running, timeline 7, lag -
                               REST 120 ms ago; listed 80 ms ago
  pg-2  routable               running-replica: is a running replica
                               role replica, state running, timeline 7, lag 16 kB
                               REST 120 ms ago; listed 80 ms ago
  pg-3  not routable (keep)    silent: does not answer
                               role replica, state running, timeline 7, lag -
                               REST silent, last 120 ms ago: Connection refused; listed 80 ms ago

cluster main: primary pg-1, lock held by pg-1 for 2 h (rest), generation 7, seen 120 ms ago
  lock: said by 10.0.0.1:8008 (rest) 120 ms ago
  last change: lock held by pg-1
  pg-1 asked over rest: ok 11
  pg-3 asked over rest: error 3, ok 2; error 300 ms ago: Connection refused
)"
    );
}

// One of which PostgreSQL alone is asked.
health::topology plain_topology()
{
    auto t = sample_topology();
    t.kind = health::cluster_kind::postgres;
    t.lock = {};
    t.cause = "pg-1 open for writes";
    for (auto& m : t.members)
    {
        m.listed_seen = {};
        m.word_seen.reset();
        m.error.clear();
        m.api_url.clear();
        m.sql_seen = support::sample_now - std::chrono::milliseconds(90);
        m.sql_in_recovery = m.role != health::member_role::primary;
    }
    t.members[2].sql_error = "Connection refused";
    return t;
}

TEST_CASE("of a cluster without Patroni nothing is said of a lock and of REST")
{
    auto view = sample_view(plain_topology());
    view.clusters[0].checks = {};
    view.clusters[0].failures.clear();
    const auto status = status_table(api("/api/v1/status", view));
    CHECK(status.find("cluster main: primary pg-1, generation 7, seen 120 ms ago\n") == 0);
    CHECK(
        explain_text(api("/api/v1/explain/read", view)) ==
        R"(listener read (role replica, cluster main): ready
  pg-1  not routable (closed)  is-primary: is a primary
                               role primary, state running, timeline 7, lag -
                               SQL 90 ms ago (not in recovery)
  pg-2  routable               running-replica: is a running replica
                               role replica, state running, timeline 7, lag 16 kB
                               SQL 90 ms ago (in recovery)
  pg-3  not routable (keep)    silent: does not answer
                               role replica, state running, timeline 7, lag -
                               SQL silent, last 90 ms ago: Connection refused (in recovery)

cluster main: primary pg-1, generation 7, seen 120 ms ago
  last change: pg-1 open for writes
)"
    );
}

TEST_CASE("explain shows weights that are not 1, slow starts and backups that are not used")
{
    auto view = sample_view();
    const auto share_of_pg2 = [&view](proxy::member_share share)
    {
        view.listeners[1].shares["pg-2"] = share;
        return explain_text(api("/api/v1/explain/read", view));
    };

    CHECK_FALSE(has(share_of_pg2({1, 1, false}), "weight"));
    CHECK(
        has(share_of_pg2({5, 5, false}),
            "running replica\n"
            "                               weight 5\n")
    );
    CHECK(has(share_of_pg2({7, 100, false, 6}), " slow start: 6 % of weight 100\n"));
    CHECK(has(share_of_pg2({1, 1, false, 50}), " slow start: 50 % of weight 1\n"));
    CHECK(has(share_of_pg2({5, 5, true}), " a backup: not used while another one is\n"));
}

TEST_CASE("the DCS, the lease and what is planned are shown")
{
    auto t = sample_topology();
    t.lock.source = "etcd3";
    t.lock.reporter = "10.0.0.9:2379";
    t.lock.ends = support::sample_now + std::chrono::milliseconds(17300);
    t.dcs = {"etcd3", true, "10.0.0.9:2379", support::sample_now - std::chrono::seconds(1), ""};
    t.failsafe_mode = true;
    t.switchover = {"pg-1", "", "2026-02-01T04:00:00+00:00"};
    const auto view = sample_view(t);

    CHECK(
        has(status_table(api("/api/v1/status", view)),
            "lock held by pg-1 for 2 h (etcd3, 17.3 s left), generation 7, seen 120 ms ago, "
            "switchover planned\n")
    );
    CHECK(
        has(explain_text(api("/api/v1/explain", view)),
            R"(
  lock: said by 10.0.0.9:2379 (etcd3) 120 ms ago; the lease has 17.3 s left
  DCS: etcd3 connected, 10.0.0.9:2379 answered 1.0 s ago
  planned: switchover from pg-1 to any member at 2026-02-01T04:00:00+00:00
  failsafe mode: configured
)")
    );
}

TEST_CASE("a lost DCS cannot be overlooked")
{
    auto t = sample_topology();
    t.lock.source = "etcd3";
    t.lock.reporter = "10.0.0.9:2379";
    t.lock.ends = support::sample_now + std::chrono::seconds(4);
    t.lock.by_lease = true;
    t.dcs.source = "etcd3";
    t.dcs.error = "10.0.0.8:2379: timed out";
    const auto view = sample_view(t);

    CHECK(
        has(status_table(api("/api/v1/status", view)),
            "lock held by pg-1 for 2 h (by lease alone, 4.0 s left), generation 7, seen 120 ms "
            "ago, etcd3 LOST\n")
    );
    CHECK(
        has(explain_text(api("/api/v1/explain", view)),
            R"(
  lock: last said by 10.0.0.9:2379 (etcd3) 120 ms ago; nobody confirms it now; the lease has 4.0 s left
  DCS: etcd3 LOST; error: 10.0.0.8:2379: timed out
)")
    );
}

TEST_CASE("settings that wait are shown until they hold")
{
    auto view = sample_view();
    view.clusters[0].waiting = {
        support::sample_now - std::chrono::seconds(12), "nobody has said yet what the cluster is"};
    const auto status = api("/api/v1/status", view);
    CHECK(has(status, R"("settings_waiting":{"since_ms":12000,"reason":"nobody has)"));
    CHECK(has(status_table(status), "seen 120 ms ago, NEW SETTINGS WAIT\n"));
    CHECK(
        has(explain_text(api("/api/v1/explain", view)),
            "  the settings of the last reload have waited for 12.0 s, the old ones hold: nobody "
            "has said yet what the cluster is\n")
    );
    CHECK(has(api("/api/v1/status", sample_view()), R"("settings_waiting":null)"));
}

TEST_CASE("what PostgreSQL says over SQL stands beside Patroni's word")
{
    auto t = sample_topology();
    t.members[0].sql_seen = support::sample_now - std::chrono::milliseconds(90);
    t.members[0].sql_in_recovery = false;
    t.members[1].sql_seen = support::sample_now - std::chrono::seconds(3);
    t.members[1].sql_in_recovery = true;
    t.members[1].sql_error = "timed out";
    t.members[2].word_seen.reset();
    t.members[2].sql_error = "no password supplied";
    t.members[2].listed = false;

    const auto text = explain_text(api("/api/v1/explain/read", sample_view(t)));

    CHECK(has(text, "REST 120 ms ago; SQL 90 ms ago (not in recovery); listed 80 ms ago\n"));
    CHECK(has(
        text,
        "REST 120 ms ago; SQL silent, last 3.0 s ago: timed out (in recovery); listed 80 ms ago\n"
    ));
    CHECK(
        has(text,
            "REST silent, never heard: Connection refused; SQL silent, never heard: no password "
            "supplied; no longer listed, last 80 ms ago\n")
    );
}

TEST_CASE("whom a listener takes is shown with its bind and its verdicts")
{
    auto view = sample_view();
    view.listeners[1].settings.match = {{"database", {"orders", "report_*"}}, {"user", {"app"}}};
    const std::string shown = " (database orders,report_*; user app)";

    CHECK(has(status_table(api("/api/v1/status", view)), "0.0.0.0:5433" + shown + "  main"));
    CHECK(
        has(explain_text(api("/api/v1/explain/read", view)),
            "listener read (role replica, cluster main)" + shown + ": ready")
    );
}

TEST_CASE("explain says that a listener is paused")
{
    auto view = sample_view();
    for (auto& l : view.listeners)
        l.paused = true;

    CHECK(
        has(explain_text(api("/api/v1/explain/read", view)),
            "listener read (role replica, cluster main): ready; PAUSED, new clients are held by an "
            "operator\n")
    );
}

// Two members, one of which is down.
proxy::process_view service_view()
{
    health::topology t;
    t.cluster = "etcd";
    t.generation = 3;
    t.kind = rolegate::health::cluster_kind::tcp;
    t.confirmed = support::sample_now - 120ms;
    for (const bool up : {true, false})
    {
        auto& m = t.members.emplace_back();
        m.name = up ? "10.0.0.1:2379" : "10.0.0.2:2379";
        m.word_seen = support::sample_now - 120ms;
        m.state_text = up ? "UP 2/3" : "DOWN";
        m.error = "connect: Connection refused";
        m.read.verdict = up ? health::admission::open : health::admission::closed;
        m.read.rule = up ? "check-passed" : "check-failed";
        m.read.reason = (up ? "1 of 3 checks failed: " : "3 of 3 checks failed: ") + m.error;
        m.grants = {m.read};
    }
    proxy::process_view v = sample_view(std::move(t));
    v.clusters[0].checks = {};
    v.clusters[0].failures.clear();
    v.listeners.clear();
    v.listeners.push_back(support::sample_listener("etcd", config::listener_role::any));
    v.listeners[0].settings.cluster = "etcd";
    v.listeners[0].to.index = 0;
    v.listeners[0].stats.members["10.0.0.1:2379"].sessions = 2;
    return v;
}

TEST_CASE("a cluster without roles shows checks where others show roles")
{
    CHECK(
        status_table(api("/api/v1/status", service_view())) ==
        R"(cluster etcd: no roles, generation 3, seen 120 ms ago
MEMBER         ROLE  STATE   TL  LAG  SESSIONS  WRITE  READ  REASON
10.0.0.1:2379  -     UP 2/3  -   -    2         no     yes   1 of 3 checks failed: connect: Connection refused
10.0.0.2:2379  -     DOWN    -   -    0         no     no    3 of 3 checks failed: connect: Connection refused

LISTENER  BIND          CLUSTER  ROLE  SESSIONS  HELD  MEMBERS
etcd      0.0.0.0:5433  etcd     any   2         0     10.0.0.1:2379
)"
    );
    const auto text = explain_text(api("/api/v1/explain", service_view()));
    CAPTURE(text);
    CHECK(has(text, "listener etcd (role any, cluster etcd): ready"));
    CHECK(has(text, "check DOWN"));
    CHECK(has(text, "checked 120 ms ago: connect: Connection refused"));
    CHECK(has(text, "check-failed: 3 of 3 checks failed: connect: Connection refused"));
    CHECK_FALSE(has(text, "REST"));
    CHECK_FALSE(has(text, "lag"));
}

TEST_CASE("role changes are listed step by step, the newest last")
{
    const auto at = [](int ms) { return support::sample_now + std::chrono::milliseconds(ms); };
    auto view = sample_view();
    CHECK(events_text(api("/api/v1/events", view)) == "no role change yet\n");

    proxy::role_change first;
    first.id = 1;
    first.cluster = "main";
    first.to = "pg-1";
    first.began = std::chrono::system_clock::time_point(std::chrono::seconds(1700000000));
    first.steps = {{"lock_taken", "pg-1", at(0), "rest"}, {"out_of_recovery", "pg-1", at(3), ""}};
    proxy::role_change second;
    second.id = 2;
    second.cluster = "main";
    second.from = "pg-1";
    second.began = first.began + std::chrono::milliseconds(60250);
    second.steps = {
        {"writes_stopped", "pg-1", at(0), "nobody holds the leader lock"},
        {"sessions_cut", "pg-1", at(1), "1"},
        {"sessions_cut", "pg-2", at(1200), "12"}};
    view.changes = {first, second};

    CHECK(
        events_text(api("/api/v1/events", view)) ==
        R"(2023-11-14T22:13:20.000Z  cluster main  found: nobody -> pg-1
        0 ms  lock_taken       pg-1  rest
        3 ms  out_of_recovery  pg-1

2023-11-14T22:14:20.250Z  cluster main  lost: pg-1 -> nobody
        0 ms  writes_stopped  pg-1  nobody holds the leader lock
        1 ms  sessions_cut    pg-1  1 session
     1200 ms  sessions_cut    pg-2  12 sessions
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
    CHECK(events_text(R"({"events": [{}]})") == "-  cluster -  -: nobody -> nobody\n");
    CHECK(events_text("7") == "no role change yet\n");
    CHECK_THROWS(events_text("<html>"));
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

TEST_CASE("status tells of a reload that was refused")
{
    auto view = sample_view();
    CHECK(!has(status_table(api("/api/v1/status", view)), "REFUSED"));
    view.config.error = "rolegate.yaml:3:5: 'listenrs' is no key";
    CHECK(
        has(status_table(api("/api/v1/status", view)),
            "\nthe last reload was REFUSED, the settings of before hold: rolegate.yaml:3:5: "
            "'listenrs' is no key\n")
    );
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
