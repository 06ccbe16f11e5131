// SPDX-License-Identifier: PostgreSQL
//
// Follows a cluster of kind `tcp`: checks every member by itself, at HAProxy's pace, and opens the
// ones that are up. Members have no role, so there is nothing to weigh. Control thread only.
#pragma once

#include "config/settings.hpp"
#include "health/check_count.hpp"
#include "health/cluster_monitor.hpp"
#include "health/observer.hpp"
#include "health/resolve.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <string>
#include <vector>

namespace rolegate::health
{

class tcp_monitor final : public cluster_monitor
{
public:
    // `settings.tcp` is set.
    tcp_monitor(
        boost::asio::io_context& control,
        const config::cluster_settings& settings,
        std::vector<demand> demands,
        observer& to
    );

    void start() override;
    void stop() override;

    void hint(const std::string& member, life_sign seen) override;

    [[nodiscard]] const topology_ptr& believed() const noexcept override { return believed_; }

private:
    // One member's checks; what they have taught stands in `next_`.
    struct checks
    {
        std::size_t index; // of the member
        check_count count;
        boost::asio::steady_timer timer;
        time_point next{}; // not while one is under way
        time_point ended{};
        std::string address = {}; // that was checked last
    };

    boost::asio::awaitable<void> follow(checks& c);
    boost::asio::awaitable<std::string> check_once(checks& c, std::chrono::milliseconds limit);
    void take(checks& c, const std::string& error, time_point began);
    bool judge(member& m, const checks& c, const std::string& error);
    void report(const member& m, const std::string& error, clock::duration took);
    void hasten_first_checks(time_point now);
    void publish(bool changed, time_point now);

    boost::asio::io_context& control_;
    const config::tcp_settings settings_;
    const std::vector<demand> demands_;
    observer& observer_;
    name_cache names_;
    std::deque<checks> checks_; // in the order of the members; the coroutines refer to them
    topology next_;             // what is known now; a copy is published
    topology_ptr believed_;
    time_point published_{};
    bool stopped_ = false;
};

} // namespace rolegate::health
