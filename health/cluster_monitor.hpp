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

// What is under way keeps it alive: it may be dropped at any time after stop().
class cluster_monitor : public std::enable_shared_from_this<cluster_monitor>
{
public:
    virtual ~cluster_monitor() = default;

    virtual void start() = 0;
    virtual void stop() = 0; // and it tells nobody anything any more

    // What the cluster's listeners demand from now on. Told at once if that is anything new.
    virtual void set_demands(std::vector<demand> demands) = 0;

    // What another one has learnt of the same cluster, see inherit.hpp. Not told by itself.
    virtual void inherit(const topology& known) = 0;

    // Live traffic saw this of `member`: look again at once. Cheap to call often.
    virtual void hint(const std::string& member, life_sign seen) = 0;

    // What an operator wants of the members, all of it: whoever is not named is ready. Decided at
    // once, and told like any change.
    virtual void obey(const operator_orders& orders) = 0;

    [[nodiscard]] virtual const topology_ptr& believed() const noexcept = 0;

protected:
    // For what is started and touches this.
    [[nodiscard]] std::shared_ptr<const void> life() const { return weak_from_this().lock(); }
};

// The one for the cluster's kind. `demands` are those of the cluster's listeners: each member's
// grants come in their order. Throws std::runtime_error when the TLS files cannot be used.
[[nodiscard]] std::shared_ptr<cluster_monitor> make_monitor(
    boost::asio::io_context& control,
    const config::cluster_settings& settings,
    std::vector<demand> demands,
    observer& to
);

} // namespace rolegate::health
