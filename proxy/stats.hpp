// SPDX-License-Identifier: PostgreSQL
//
// Counters of one worker: plain values, written on its thread only. For a scrape the worker copies
// them on its own thread and hands the copy out; merge() adds the workers' copies up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace rolegate::proxy
{

// Seconds; the last bucket is +Inf. From a loopback connect to a day-long session.
inline constexpr std::array<double, 14> duration_buckets = {
    0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600, 3600, 86400};

struct histogram
{
    std::array<std::uint64_t, duration_buckets.size() + 1> counts{}; // not cumulative
    double sum = 0;

    void observe(double seconds) noexcept;
};

// Of the last thousand or so, HAProxy's way: later ones push earlier ones out bit by bit.
struct recent_mean
{
    static constexpr double window = 1024;

    double sum = 0; // of `count` values
    double count = 0;
    double most = 0; // ever

    void observe(double value) noexcept;
    [[nodiscard]] double mean() const noexcept { return count > 0 ? sum / count : 0; }
};

struct member_stats
{
    std::uint64_t sessions = 0;                     // now
    std::map<std::string, std::uint64_t> ended;     // by termination state
    std::map<std::string, std::uint64_t> shut_down; // by reason: an errc's word
    std::uint64_t bytes_in = 0;                     // client to server
    std::uint64_t bytes_out = 0;
    histogram connect_seconds; // connects that succeeded
    std::uint64_t failed = 0;  // not to be had when a client wanted it: refused, silent, not now
    std::uint64_t retries = 0; // attempts for a client that was refused before
    std::uint64_t redispatches = 0; // of these, those on another member than before
    recent_mean wait_seconds;       // of sessions that reached it: held, connecting, all in all
    recent_mean connecting_seconds;
    recent_mean total_seconds;
};

struct listener_stats
{
    // By member name; "" for sessions that never reached one. Names come from Patroni and are
    // bounded by its listing.
    std::map<std::string, member_stats> members;
    std::uint64_t held = 0;                        // now
    std::map<std::string, histogram> hold_seconds; // by result: routed|timeout|stale|gone|shutdown
    std::map<std::string, std::uint64_t> handshake_rejects; // by reason
    std::map<std::string, std::uint64_t> cancel_requests;   // by result:
    // routed (the key is known here)|offered|no_member|rate_limited
    histogram session_seconds;
};

// Those of its members together, and of sessions that reached none.
[[nodiscard]] member_stats all_members(const listener_stats& l);

// By the listener's id.
using worker_stats = std::map<std::size_t, listener_stats>;

void merge(worker_stats& into, const worker_stats& from);

// Requests to sources, counted on the control thread. Key: member, source, result.
struct check_stats
{
    std::map<std::array<std::string, 3>, std::uint64_t> checks;
    std::map<std::string, histogram> seconds;   // by source
    std::map<std::string, double> last_seconds; // the last request, by member
};

} // namespace rolegate::proxy
