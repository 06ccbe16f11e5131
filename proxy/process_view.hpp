// SPDX-License-Identifier: PostgreSQL
//
// Everything the admin pages, the API and the metrics may show, as one value gathered at one
// moment on the control thread.
#pragma once

#include "config/settings.hpp"
#include "health/topology.hpp"
#include "proxy/availability.hpp"
#include "proxy/balance.hpp"
#include "proxy/certificate_ends.hpp"
#include "proxy/login_counts.hpp"
#include "proxy/process_usage.hpp"
#include "proxy/reload_report.hpp"
#include "proxy/role_history.hpp"
#include "proxy/route.hpp"
#include "proxy/stats.hpp"
#include "proxy/traffic_count.hpp"

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::proxy
{

// The last request to a source has failed, and it has not answered since.
struct check_failure
{
    std::string error;
    health::time_point seen{};
};

// What was asked of whom: a member, or a HOST:PORT before its name is known.
struct check_key
{
    std::string member;
    std::string source;
    std::string path;

    friend auto operator<=>(const check_key&, const check_key&) = default;
};

// Settings of a reload that do not hold yet; by the old ones the cluster is followed until then.
struct waiting_settings
{
    health::time_point since{};
    std::string reason;
};

struct cluster_view
{
    health::topology_ptr topology; // never null
    check_stats checks;
    std::map<std::string, std::uint64_t> role_changes; // by kind: "promoted", "lost"
    histogram write_unavailable;                       // losing the primary to the next one
    std::map<check_key, check_failure> failures;
    service_records services;
    std::map<std::string, config::member_settings> options; // of each member
    std::optional<config::check_settings> check;            // tcp: by which members go up and down
    std::optional<waiting_settings> waiting{};

    [[nodiscard]] const service_record*
    service(const std::string& listener, const std::string& member) const noexcept
    {
        const auto at = services.find({listener, member});
        return at == services.end() ? nullptr : &at->second;
    }

    // The last failure of a member over one source; nullptr: none.
    [[nodiscard]] const check_failure*
    failure_of(std::string_view member, std::string_view source) const noexcept
    {
        const check_failure* latest = nullptr;
        for (const auto& [key, failure] : failures)
            if (key.member == member && key.source == source &&
                (!latest || failure.seen > latest->seen))
                latest = &failure;
        return latest;
    }
};

struct listener_view
{
    config::listener_settings settings;
    destination to;
    std::vector<std::string> bound; // "0.0.0.0:5432", "[::1]:5432": what the kernel says
    listener_stats stats;           // all workers together
    bool paused = false;            // an operator holds new clients
    std::map<std::string, member_share> shares; // of the members that are open
    listener_traffic traffic;
};

struct process_view
{
    std::string version;
    health::time_point now{}; // for ages
    std::chrono::system_clock::time_point wall_clock{};
    config_state config;
    std::size_t maxconn = 0; // clients of all listeners
    process_usage usage;
    certificate_ends certificates;
    bool shutting_down = false;
    std::uint64_t log_dropped = 0; // lines that found no room
    login_counts logins;
    std::vector<cluster_view> clusters;
    std::vector<listener_view> listeners;
    std::vector<role_change> changes; // oldest first

    [[nodiscard]] const cluster_view* find_cluster(std::string_view name) const noexcept
    {
        const auto it = std::ranges::find_if(
            clusters, [name](const cluster_view& c) { return c.topology->cluster == name; }
        );
        return it == clusters.end() ? nullptr : &*it;
    }
};

} // namespace rolegate::proxy
