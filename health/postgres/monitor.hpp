// SPDX-License-Identifier: PostgreSQL
//
// Follows one cluster of plain streaming replication: asks every configured member's PostgreSQL,
// has what they say decided, and hands out a topology whenever something was learnt. Control thread
// only.
#pragma once

#include "config/settings.hpp"
#include "health/bursts.hpp"
#include "health/cluster_monitor.hpp"
#include "health/http_checks.hpp"
#include "health/postgres/decide.hpp"
#include "health/resolve.hpp"
#include "health/sql_probe.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace rolegate::health::postgres
{

class monitor final : public cluster_monitor
{
public:
    // `settings.postgres` is set.
    monitor(
        boost::asio::io_context& control,
        const config::cluster_settings& settings,
        std::vector<demand> demands,
        observer& to
    );
    ~monitor() override;

    void start() override;
    void stop() override;

    void set_demands(std::vector<demand> demands) override;
    void inherit(const topology& known) override;
    void hint(const std::string& member, life_sign seen) override;
    void obey(const operator_orders& orders) override;

    [[nodiscard]] const topology_ptr& believed() const noexcept override { return believed_; }

private:
    // How a member is asked.
    struct source
    {
        std::shared_ptr<sql_probe> probe;
        std::string address;    // "" = its name has none yet
        time_point waited{};    // for an address: since then
        clock::duration calm{}; // between two questions while all is well, jitter included
    };

    boost::asio::awaitable<void> run();
    void aim(std::size_t member, time_point now);
    void set_pace(time_point now);
    [[nodiscard]] bool searching(time_point now) const;
    [[nodiscard]] clock::duration calm_interval();
    void take(std::size_t member, std::chrono::duration<double> took);
    void believe(time_point now);

    boost::asio::io_context& control_;
    const std::string cluster_;
    const config::postgres_settings settings_;
    policy policy_;
    const counts limits_;
    observer& observer_;
    name_cache names_;
    boost::asio::steady_timer wake_;
    std::minstd_rand random_;

    evidence seen_;
    std::vector<source> sources_;       // in the order of seen_.members
    std::optional<http_checks> checks_; // unset: none are configured
    topology_ptr believed_;
    bursts bursts_;
    std::optional<time_point> no_primary_since_;
    time_point published_{};
    bool stopped_ = false;
};

} // namespace rolegate::health::postgres
