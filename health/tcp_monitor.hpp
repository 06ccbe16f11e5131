// SPDX-License-Identifier: PostgreSQL
//
// Follows a cluster of kind `tcp`: checks every member by itself, at HAProxy's pace, and opens the
// ones that are up. Members have no role, so there is nothing to weigh. Control thread only.
#pragma once

#include "config/settings.hpp"
#include "health/check_loop.hpp"
#include "health/cluster_monitor.hpp"
#include "health/observer.hpp"
#include "health/resolve.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
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

    void set_demands(std::vector<demand> demands) override;
    void inherit(const topology& known) override;
    void hint(const std::string& member, life_sign seen) override;
    void obey(const operator_orders& orders) override;

    [[nodiscard]] const topology_ptr& believed() const noexcept override { return believed_; }

private:
    void take(std::size_t index, const std::string& error, clock::duration took);
    bool lead_to(member& m, const address_trials& trials) const;
    bool judge(member& m, const check_count& count, const std::string& error);
    void report(const member& m, const std::string& error, clock::duration took);
    void hasten_first_checks(time_point now);
    void publish(bool changed, time_point now);

    const config::tcp_settings settings_;
    std::vector<demand> demands_;
    observer& observer_;
    name_cache names_;
    std::vector<std::shared_ptr<check_loop>> checks_; // in the order of the members
    topology next_;                                   // what is known now; a copy is published
    topology_ptr believed_;
    time_point published_{};
};

} // namespace rolegate::health
