// SPDX-License-Identifier: PostgreSQL
//
// What follows a cluster, whatever its kind: sources fill in evidence, a pure function decides, a
// topology is handed out whenever something was learnt. Control thread only.
#pragma once

#include "config/settings.hpp"
#include "health/demands.hpp"
#include "health/observer.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>
#include <vector>

namespace rolegate::health
{

class cluster_monitor
{
public:
    virtual ~cluster_monitor() = default;

    virtual void start() = 0;
    virtual void stop() = 0;

    // Live traffic saw this of `member`: look again at once. Cheap to call often.
    virtual void hint(const std::string& member, life_sign seen) = 0;

    // What an operator wants of the members, all of it: whoever is not named is ready. Decided at
    // once, and told like any change.
    virtual void obey(const operator_orders& orders) = 0;

    [[nodiscard]] virtual const topology_ptr& believed() const noexcept = 0;
};

// The one for the cluster's kind. `demands` are those of the cluster's listeners: each member's
// grants come in their order. Throws std::runtime_error when the TLS files cannot be used.
[[nodiscard]] std::unique_ptr<cluster_monitor> make_monitor(
    boost::asio::io_context& control,
    const config::cluster_settings& settings,
    std::vector<demand> demands,
    observer& to
);

} // namespace rolegate::health
