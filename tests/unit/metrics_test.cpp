// SPDX-License-Identifier: PostgreSQL
#include "proxy/metrics.hpp"

#include "tests/support/sample_view.hpp"

#include <doctest/doctest.h>

#include <set>
#include <sstream>

using namespace rolegate;
using support::sample_topology;
using support::sample_view;

namespace
{

std::vector<std::string> lines_of(const std::string& text)
{
    std::istringstream in(text);
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);)
        out.push_back(line);
    return out;
}

bool has_line(const std::string& text, const std::string& line)
{
    const auto lines = lines_of(text);
    return std::ranges::find(lines, line) != lines.end();
}

} // namespace

TEST_SUITE_BEGIN("proxy/metrics");

TEST_CASE("what is counted is exported under the names that dashboards use")
{
    const auto text = proxy::metrics_text(sample_view());

    for (const auto* line : {
             R"(rolegate_sessions{listener="write",member="pg-1"} 3)",
             R"(rolegate_sessions{listener="write",member="pg-2"} 0)",
             R"(rolegate_sessions{listener="read",member="pg-1"} 1)",
             R"(rolegate_sessions_total{listener="write",member="pg-1",termination="--"} 40)",
             R"(rolegate_sessions_total{listener="write",member="",termination="PR"} 2)",
             R"(rolegate_session_duration_seconds_bucket{listener="write",le="10"} 0)",
             R"(rolegate_session_duration_seconds_bucket{listener="write",le="60"} 1)",
             R"(rolegate_session_duration_seconds_bucket{listener="write",le="+Inf"} 1)",
             R"(rolegate_session_duration_seconds_sum{listener="write"} 12)",
             R"(rolegate_bytes_total{listener="write",member="pg-1",direction="in"} 1000)",
             R"(rolegate_bytes_total{listener="write",member="pg-1",direction="out"} 5000)",
             R"(rolegate_connect_duration_seconds_count{listener="write",member="pg-1"} 1)",
             R"(rolegate_held_clients{listener="write"} 1)",
             R"(rolegate_held_clients{listener="read"} 0)",
             R"(rolegate_hold_duration_seconds_count{listener="write",result="routed"} 1)",
             R"(rolegate_handshake_rejects_total{listener="write",reason="startup_malformed"} 5)",
             R"(rolegate_sessions_shutdown_total{listener="read",member="pg-2",reason="role_lost"} 9)",
             R"(rolegate_cancel_requests_total{listener="write",result="offered"} 6)",
             R"(rolegate_member_role{cluster="main",member="pg-1",role="primary"} 1)",
             R"(rolegate_member_role{cluster="main",member="pg-1",role="replica"} 0)",
             R"(rolegate_member_routable{listener="write",member="pg-1"} 1)",
             R"(rolegate_member_routable{listener="read",member="pg-1"} 0)",
             R"(rolegate_member_routable{listener="read",member="pg-3"} 0)",
             R"(rolegate_member_lag_bytes{cluster="main",member="pg-2"} 16384)",
             R"(rolegate_member_timeline{cluster="main",member="pg-1"} 7)",
             R"(rolegate_checks_total{cluster="main",member="pg-3",source="rest",result="error"} 3)",
             R"(rolegate_check_duration_seconds_count{cluster="main",source="rest"} 1)",
             R"(rolegate_topology_generation{cluster="main"} 7)",
             R"(rolegate_topology_age_seconds{cluster="main"} 0.12)",
             R"(rolegate_role_changes_total{cluster="main",kind="promoted"} 1)",
             R"(rolegate_write_unavailable_seconds_sum{cluster="main"} 1.5)",
             R"(rolegate_config_reload_success 1)",
             R"(rolegate_reloads_total{result="failed"} 0)",
             R"(rolegate_config_last_reload_timestamp_seconds 1700000000)",
             R"(rolegate_build_info{version="1.2.3"} 1)",
             "rolegate_log_dropped_total 0",
             R"(rolegate_admin_logins_total{result="ok"} 4)",
             R"(rolegate_admin_logins_total{result="failed"} 2)",
             R"(rolegate_admin_logins_total{result="limited"} 1)",
         })
    {
        CAPTURE(line);
        CHECK(has_line(text, line));
    }
}

TEST_CASE("a lag that nobody knows is absent, not zero")
{
    const auto text = proxy::metrics_text(sample_view());

    CHECK(text.find(R"(rolegate_member_lag_bytes{cluster="main",member="pg-1"})") == text.npos);
}

TEST_CASE("the DCS and the lease are there when they are known")
{
    const std::string connected = R"(rolegate_dcs_connected{cluster="main"} )";
    const std::string left = R"(rolegate_lock_ttl_seconds{cluster="main"} )";
    auto t = sample_topology();
    auto text = proxy::metrics_text(sample_view(t));
    CHECK(text.find(connected) == text.npos); // none is configured
    CHECK(text.find(left) == text.npos);

    t.dcs.source = "etcd3";
    t.dcs.connected = true;
    t.lock.source = "etcd3";
    t.lock.ends = support::sample_now + std::chrono::milliseconds(17500);
    text = proxy::metrics_text(sample_view(t));
    CHECK(has_line(text, connected + "1"));
    CHECK(has_line(text, left + "17.5"));

    t.dcs.connected = false;
    t.lock.ends = support::sample_now - std::chrono::seconds(1);
    text = proxy::metrics_text(sample_view(t));
    CHECK(has_line(text, connected + "0"));
    CHECK(has_line(text, left + "0"));

    t.lock.source = "rest"; // it may have been renewed, but nobody says until when
    text = proxy::metrics_text(sample_view(t));
    CHECK(text.find(left) == text.npos);

    t.lock.source = "etcd3";
    t.lock.what = health::lock_belief::kind::none;
    text = proxy::metrics_text(sample_view(t));
    CHECK(text.find(left) == text.npos);
}

TEST_CASE("what the alerts need is there")
{
    auto view = sample_view();
    view.listeners[1].paused = true;
    view.listeners[0].stats.members["pg-1"].failed = 3;
    view.config.error = "no";
    view.certificates["/etc/a.crt"] =
        std::chrono::system_clock::time_point(std::chrono::seconds(1800000000));
    view.usage.open_fds = 40;
    view.usage.max_fds = 1024;
    view.usage.resident_bytes = 14000000;
    view.usage.cpu_seconds = 1.5;
    view.usage.started = 1700000001;
    const auto text = proxy::metrics_text(view);

    for (const auto* line : {
             R"(rolegate_cluster_has_primary{cluster="main"} 1)",
             R"(rolegate_topology_stale{cluster="main"} 0)",
             R"(rolegate_routable_members{listener="write"} 1)",
             R"(rolegate_listener_paused{listener="write"} 0)",
             R"(rolegate_listener_paused{listener="read"} 1)",
             R"(rolegate_connect_failures_total{listener="write",member="pg-1"} 3)",
             R"(rolegate_sessions_shutdown_total{listener="write",member="pg-1",reason="role_lost"} 0)",
             R"(rolegate_config_reload_success 0)",
             R"(rolegate_certificate_expiry_timestamp_seconds{file="/etc/a.crt"} 1800000000)",
             "process_open_fds 40",
             "process_max_fds 1024",
             "process_resident_memory_bytes 14000000",
             "process_cpu_seconds_total 1.5",
             "process_start_time_seconds 1700000001",
         })
    {
        CAPTURE(line);
        CHECK(has_line(text, line));
    }
}

TEST_CASE("a primary is missed where there could be one, and only there")
{
    const std::string name = R"(rolegate_cluster_has_primary{cluster="main"})";
    auto t = sample_topology();
    t.members[0].write.verdict = t.members[0].grants[0].verdict = health::admission::keep;
    auto text = proxy::metrics_text(sample_view(t));
    CHECK(has_line(text, name + " 0"));
    CHECK(has_line(text, R"(rolegate_routable_members{listener="write"} 0)"));

    t.standby_cluster = true;
    text = proxy::metrics_text(sample_view(t));
    CHECK(text.find(name) == text.npos);

    t = sample_topology();
    t.kind = health::cluster_kind::tcp;
    text = proxy::metrics_text(sample_view(t));
    CHECK(text.find(name) == text.npos);
}

TEST_CASE("a stale view routes nobody")
{
    auto t = sample_topology();
    t.confirmed = support::sample_now - std::chrono::seconds(11);

    const auto text = proxy::metrics_text(sample_view(t));

    CHECK(has_line(text, R"(rolegate_member_routable{listener="write",member="pg-1"} 0)"));
    CHECK(has_line(text, R"(rolegate_topology_age_seconds{cluster="main"} 11)"));
    CHECK(has_line(text, R"(rolegate_topology_stale{cluster="main"} 1)"));
    CHECK(has_line(text, R"(rolegate_routable_members{listener="write"} 0)"));
    CHECK(has_line(text, R"(rolegate_cluster_has_primary{cluster="main"} 0)"));
}

TEST_CASE("a view that was never confirmed is infinitely old")
{
    health::topology t;
    t.cluster = "main";

    const auto text = proxy::metrics_text(sample_view(t));

    CHECK(has_line(text, R"(rolegate_topology_age_seconds{cluster="main"} +Inf)"));
}

TEST_CASE("a member's name cannot break out of its label")
{
    auto t = sample_topology();
    t.members[1].name = "a\"b\\c\nd";

    const auto text = proxy::metrics_text(sample_view(t));

    CHECK(has_line(text, R"(rolegate_member_routable{listener="read",member="a\"b\\c\nd"} 1)"));
}

TEST_CASE("every metric is described once and no series stands there twice")
{
    std::set<std::string> seen;
    for (const auto& line : lines_of(proxy::metrics_text(sample_view())))
    {
        const auto key = line.starts_with("#") ? line : line.substr(0, line.rfind(' '));
        CAPTURE(key);
        CHECK(seen.insert(key).second);
    }
}

TEST_SUITE_END();
