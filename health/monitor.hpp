// SPDX-License-Identifier: PostgreSQL
//
// Follows one cluster of Patroni's: lets the sources (Patroni's REST APIs, the DCS, PostgreSQL
// itself) fill in the evidence, has it decided, and hands out a topology whenever something was
// learnt. Control thread only.
#pragma once

#include "config/settings.hpp"
#include "health/bursts.hpp"
#include "health/cluster_monitor.hpp"
#include "health/dcs/follower.hpp"
#include "health/decide.hpp"
#include "health/http_checks.hpp"
#include "health/observer.hpp"
#include "health/patroni/rest_poller.hpp"
#include "health/resolve.hpp"
#include "health/sql_probe.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>

namespace rolegate::health
{

class monitor final : public cluster_monitor
{
public:
    // Throws std::runtime_error when the TLS files cannot be used.
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
    boost::asio::awaitable<void> run();
    [[nodiscard]] pace current_pace(time_point now);
    [[nodiscard]] bool watched(time_point now) const;
    [[nodiscard]] bool lease_runs_out(time_point now) const;
    [[nodiscard]] bool quiet(time_point now) const;
    void look_closer(const std::string& member, time_point now);

    void take_check(const check& c);
    void take_keys(const dcs_report& report, const std::set<std::string>& changed);
    void take_sql(const std::string& member, std::chrono::duration<double> took);
    void aim_probes(const pace& p);

    void learn(bool news);
    void believe(time_point now);
    void note_unsettled(time_point now);
    void forget_strangers();

    boost::asio::io_context& control_;
    const config::cluster_settings settings_;
    policy policy_;
    observer& observer_;
    name_cache names_;
    boost::asio::steady_timer wake_;
    std::minstd_rand random_;

    evidence seen_;
    topology_ptr believed_;
    patroni::rest_poller rest_;
    std::unique_ptr<dcs::follower> dcs_;                       // unset: none is configured
    std::map<std::string, std::shared_ptr<sql_probe>> probes_; // by member name
    std::optional<http_checks> checks_;                        // unset: none are configured

    bool stopped_ = false;
    bursts bursts_;
    std::string last_holder_; // of the lock, while nobody holds it
    std::optional<time_point> unsettled_since_;
    time_point decided_{};
    time_point published_{};
};

} // namespace rolegate::health
