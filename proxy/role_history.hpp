// SPDX-License-Identifier: PostgreSQL
//
// The last changes of the primary, with the time of each step, as people ask for them after a
// failover: when was the lock lost, when were sessions cut, when did the first one go on? Pure.
#pragma once

#include "health/topology.hpp"

#include <chrono>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::proxy
{

struct role_step
{
    // "writes_stopped", "lock_lost", "sessions_cut", "lock_taken", "out_of_recovery",
    // "first_session"
    std::string_view step; // static storage
    std::string member;    // whom it is about
    health::time_point at{};
    std::string detail; // why, or how many; may be empty

    friend bool operator==(const role_step&, const role_step&) = default;
};

struct role_change
{
    std::uint64_t id = 0; // counts from 1
    std::string cluster;
    std::string from; // primary until then; "" = none since Rolegate started
    std::string to;   // primary since; "" = none yet
    std::chrono::system_clock::time_point began;
    std::vector<role_step> steps; // in the order they were noticed; the first one began it

    // "found": the first one since Rolegate started; "promoted": another member; "resumed": the
    // same one again; "lost": none yet.
    [[nodiscard]] const char* kind() const noexcept
    {
        if (to.empty())
            return "lost";
        return from.empty() ? "found" : to == from ? "resumed" : "promoted";
    }

    friend bool operator==(const role_change&, const role_change&) = default;
};

class role_history
{
public:
    // How many changes are kept; older ones are forgotten.
    static constexpr std::size_t max_changes = 64;

    void on_topology(
        const health::topology& before,
        const health::topology& after,
        health::time_point now,
        std::chrono::system_clock::time_point wall_clock
    );
    void on_sessions_cut(
        const std::string& cluster, const std::string& member, std::size_t n, health::time_point now
    );
    void
    on_first_session(const std::string& cluster, const std::string& member, health::time_point now);

    [[nodiscard]] const std::deque<role_change>& changes() const noexcept { return changes_; }

    // All that another one needs to go on as if it had been there from the beginning.
    using by_cluster = std::map<std::string, std::string>;
    struct memory
    {
        std::deque<role_change> changes; // oldest first
        std::uint64_t last_id = 0;
        by_cluster holders;   // of the lock, as last known; "" = nobody
        by_cluster primaries; // "" = lost

        friend bool operator==(const memory&, const memory&) = default;
    };
    [[nodiscard]] memory remembered() const { return {changes_, last_id_, holders_, primaries_}; }

    // Before anything is noticed. That the same primary is found again is no change then.
    void take_over(memory m);

private:
    [[nodiscard]] role_change* latest(const std::string& cluster) noexcept;
    role_change& open_change(
        const std::string& cluster,
        const std::string& was,
        std::chrono::system_clock::time_point wall_clock
    );

    std::deque<role_change> changes_; // newest last
    by_cluster holders_;
    by_cluster primaries_;
    std::set<std::string> unseen_; // clusters that another one has seen, and this one has not yet
    std::uint64_t last_id_ = 0;
};

} // namespace rolegate::proxy
