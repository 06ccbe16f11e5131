// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/traffic_json.hpp"

#include "proxy/admin/json.hpp"
#include "tests/support/sample_view.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

using namespace rolegate;
using support::sample_view;

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

TEST_CASE("the status carries it all")
{
    const auto status = boost::json::parse(proxy::admin::status_json(sample_view()));

    CHECK(status.at("clusters").at("main").at("members").at(1).at("sessions_total") == 4);
    CHECK(status.at("listeners").at("write").at("sessions_total") == 43);
    CHECK(status.at("clusters").at("main").at("standby_cluster") == false);
}

TEST_SUITE_END();
