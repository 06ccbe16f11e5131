// SPDX-License-Identifier: PostgreSQL
//
// One member's checks, one after the other at HAProxy's pace, for as long as it is wanted. Control
// thread only.
#pragma once

#include "config/cluster_settings.hpp"
#include "health/address_trials.hpp"
#include "health/check_count.hpp"
#include "health/member.hpp"
#include "health/resolve.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace rolegate::health
{

// Of one check, the look-up of the name included.
[[nodiscard]] std::chrono::milliseconds limit_of(const config::check_settings& s) noexcept;

class check_loop : public std::enable_shared_from_this<check_loop>
{
public:
    // `told` is called after each check with what was wrong, or "", and how long it took.
    using report_function = std::function<void(const std::string& error, clock::duration took)>;

    // `settings` and `names` live as long as the owner that start() is given: a check that is under
    // way at stop() still reads them when it goes on, and tells nobody.
    check_loop(
        boost::asio::io_context& control,
        const config::check_settings& settings,
        name_cache& names,
        report_function told
    );

    // Where the member is. Of a unix socket's member this machine is asked.
    void aim(const std::string& host, std::uint16_t port);

    void start(time_point first, std::shared_ptr<const void> owner);
    void stop();

    // The next check comes then at the latest; nothing changes one that is under way.
    void hasten(time_point at);

    // ... because a client was refused.
    void doubt();

    [[nodiscard]] const check_count& count() const noexcept { return count_; }
    [[nodiscard]] time_point next() const noexcept { return next_; }

    // Which address has answered last, and which others may.
    [[nodiscard]] const address_trials& trials() const noexcept { return trials_; }

private:
    boost::asio::awaitable<void> run();
    boost::asio::awaitable<std::string> check_once();

    boost::asio::io_context& control_;
    const config::check_settings& settings_;
    name_cache& names_;
    const report_function told_;
    check_count count_;
    boost::asio::steady_timer timer_;
    std::string host_;
    std::uint16_t port_ = 0;
    address_trials trials_;
    time_point next_{}; // not while one is under way
    time_point ended_{};
    bool stopped_ = false;
};

} // namespace rolegate::health
