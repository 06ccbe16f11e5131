// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/traffic_json.hpp"

#include "proxy/admin/json.hpp"
#include "tests/support/sample_view.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

using namespace rolegate;
using support::sample_view;
using namespace std::chrono_literals;

namespace
{

// Of pg-1, and of the listener `write`.
boost::json::object member_traffic(const proxy::process_view& view)
{
    const auto& cluster = view.clusters[0];
    boost::json::object o;
    proxy::admin::add_traffic(o, view, cluster, cluster.topology->members[0]);
    return o;
}

boost::json::object listener_traffic(const proxy::process_view& view)
{
    boost::json::object o;
    proxy::admin::add_traffic(o, view, view.listeners[0]);
    return o;
}

} // namespace

TEST_SUITE_BEGIN("admin/traffic");

TEST_CASE("a member's sessions and bytes are those of all listeners")
{
    const auto o = member_traffic(sample_view());

    CHECK(o.at("sessions_total") == 44);
    CHECK(o.at("bytes_in") == 1000);
    CHECK(o.at("bytes_out") == 5000);
    CHECK(o.at("checks_ok") == 11);
    CHECK(o.at("checks_failed") == 0);
    CHECK(o.at("weight") == 1);
    CHECK(o.at("backup") == false);
    CHECK(o.at("maxconn").is_null());
    CHECK(o.at("sync_state") == "unknown");
}

TEST_CASE("another cluster's listener and another member's checks do not count")
{
    auto view = sample_view();
    view.listeners[0].settings.cluster = "other";

    const auto o = member_traffic(view);

    CHECK(o.at("sessions_total") == 1);
    CHECK(o.at("checks_failed") == 0);
}

TEST_CASE("what the configuration says of a member")
{
    auto view = sample_view();
    view.clusters[0].options["pg-1"] = {50, 100, 0, std::chrono::milliseconds(0), true};

    const auto o = member_traffic(view);

    CHECK(o.at("weight") == 50);
    CHECK(o.at("backup") == true);
    CHECK(o.at("maxconn") == 100);
    CHECK(listener_traffic(view).at("traffic").at("pg-1").at("maxconn") == 100);
}

TEST_CASE("a listener's counters, in all and by member")
{
    const auto o = listener_traffic(sample_view());

    CHECK(o.at("balance") == "roundrobin");
    CHECK(o.at("maxconn").is_null());
    CHECK(o.at("queue") == boost::json::parse(R"({"max": 1000, "timeout_ms": 10000})"));
    CHECK(o.at("sessions_total") == 43);
    CHECK(o.at("bytes_in") == 1000);
    CHECK(o.at("bytes_out") == 5000);
    CHECK(o.at("rejects") == boost::json::parse(R"({"startup_malformed": 5})"));
    CHECK(o.at("holds") == boost::json::parse(R"({"routed": 1})"));
    CHECK(o.at("cancels") == boost::json::parse(R"({"offered": 6})"));
    const auto& traffic = o.at("traffic").as_object();
    CHECK(traffic.size() == 4); // three members, and those who got none
    CHECK(traffic.at("").at("ended") == boost::json::parse(R"({"PR": 2})"));
    const auto& first = traffic.at("pg-1");
    CHECK(first.at("sessions") == 3);
    CHECK(first.at("sessions_total") == 43);
    CHECK(first.at("ended") == boost::json::parse(R"({"--": 40})"));
    CHECK(first.at("connects") == 1);
    CHECK(first.at("connect_avg_ms").as_double() == doctest::Approx(0.7));
    CHECK(traffic.at("pg-3").at("sessions_total") == 0);
    CHECK(traffic.at("pg-3").at("connect_avg_ms").is_null());
}

TEST_CASE("peaks and changes, as HAProxy tells them")
{
    auto view = sample_view();
    auto& counted = view.listeners[0].traffic;
    counted.most_held = 17;
    counted.all.most_sessions = 9;
    counted.members["pg-1"].most_sessions = 8;
    counted.members["pg-1"].sessions.note(view.now);
    counted.members["pg-1"].last = view.now - 3s;
    auto& services = view.clusters[0].services;
    services[{"write", "pg-1"}] = {true, view.now - 60s, 2, 5s};
    services[{"read", "pg-1"}] = {false, view.now - 30s, 1, 1s};
    services[{"write", ""}] = {true, view.now - 70s, 1, 4s};

    const auto o = listener_traffic(view);

    CHECK(o.at("held_max") == 17);
    CHECK(o.at("sessions_max") == 9);
    CHECK(o.at("last_change_ms") == 70000);
    CHECK(o.at("last_session_ms").is_null());
    const auto& first = o.at("traffic").at("pg-1");
    CHECK(first.at("sessions_max") == 8);
    CHECK(first.at("rate_max") == 1);
    CHECK(first.at("last_session_ms") == 3000);
    CHECK(first.at("last_change_ms") == 60000);
    CHECK(first.at("losses") == 2);
    CHECK(first.at("downtime_ms") == 5000);
    CHECK(o.at("traffic").at("pg-2").as_object().contains("last_change_ms") == false);
    // Of a member the last change of all its listeners.
    CHECK(member_traffic(view).at("last_change_ms") == 30000);
}

TEST_CASE("attempts that failed and were made again")
{
    auto view = sample_view();
    auto& m = view.listeners[0].stats.members["pg-1"];
    m.failed = 4;
    m.retries = 3;
    m.redispatches = 2;

    const auto o = listener_traffic(view);

    const auto& first = o.at("traffic").at("pg-1");
    CHECK(first.at("failed") == 4);
    CHECK(first.at("retries") == 3);
    CHECK(first.at("redispatches") == 2);
}

TEST_CASE("the process: its age, its limits, what it uses")
{
    auto view = sample_view();
    view.wall_clock = view.config.loaded + 90s;
    view.maxconn = 5000;
    view.certificates["/etc/rolegate.crt"] = view.wall_clock + 24h;
    view.usage = {12, 1024, 7'000'000, 1.5, 1699999990.0};

    const auto o = proxy::admin::process_object(view);

    CHECK(o.at("uptime_ms") == 100000);
    CHECK(o.at("config_age_ms") == 90000);
    CHECK(o.at("config_reload_ok") == true);
    CHECK(o.at("maxconn") == 5000);
    CHECK(o.at("open_files") == 12);
    CHECK(o.at("max_files") == 1024);
    CHECK(o.at("resident_bytes") == 7'000'000);
    CHECK(o.at("certificates_end_in_ms").at("/etc/rolegate.crt") == 86'400'000);
    view.usage = {};
    CHECK(proxy::admin::process_object(view).at("uptime_ms").is_null());
}

TEST_CASE("the status carries it all")
{
    const auto status = boost::json::parse(proxy::admin::status_json(sample_view()));

    CHECK(status.at("clusters").at("main").at("members").at(1).at("sessions_total") == 4);
    CHECK(status.at("listeners").at("write").at("sessions_total") == 43);
    CHECK(status.at("clusters").at("main").at("standby_cluster") == false);
}

TEST_SUITE_END();
