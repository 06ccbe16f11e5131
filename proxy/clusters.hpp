// SPDX-License-Identifier: PostgreSQL
//
// The clusters that are followed, by their numbers: those that are configured, and those that are
// not any more as long as some session began while they were. Control thread only; knows nothing
// of workers and sessions.
#pragma once

#include "config/settings.hpp"
#include "health/observer.hpp"
#include "health/succession.hpp"
#include "proxy/cluster_record.hpp"
#include "proxy/role_history.hpp"
#include "proxy/seating.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace rolegate::proxy
{

class clusters
{
public:
    using numbers = std::map<std::string, std::size_t>; // by name

    // What listeners demand of a cluster, by its number.
    using demand_source = std::function<std::vector<seating::demand>(std::size_t)>;

    // Who acts on what is believed, at once.
    using publisher = std::function<void(std::size_t, const health::topology_ptr&)>;

    clusters(boost::asio::io_context& control, publisher publish);
    ~clusters();

    // Everything that can fail. A name gets its number; another one when it stands for another
    // cluster from now on.
    struct plan;
    [[nodiscard]] plan prepare(const std::vector<config::cluster_settings>& wanted);

    // What is believed of each cluster has been published, with a verdict for each demand.
    void commit(plan next, const demand_source& demands);

    // The same clusters; what nobody demands any more needs no verdict.
    void set_demands(const demand_source& demands);

    // What another process knew of the clusters' past, before start().
    void take_over(role_history::memory past);

    void start();
    void stop();

    void hint(std::size_t number, const std::string& member, health::life_sign seen);
    void obey(const std::string& name, const health::operator_orders& orders);
    void
    note_cut(std::size_t number, const std::string& member, std::size_t n, health::time_point at);
    void note_session(std::size_t number, const std::string& member, health::time_point at);

    // New settings that do not hold yet, though they should: to the log. Every second or so.
    void tell_waiting(health::time_point now);

    // Those of each cluster, in a sentence.
    [[nodiscard]] std::vector<std::string> waiting() const;

    // Not configured any more, and nobody's by `is_used`; they are forgotten here.
    [[nodiscard]] std::vector<std::size_t> retire(const std::function<bool(std::size_t)>& is_used);

    [[nodiscard]] bool knows(std::size_t number) const { return all_.contains(number); }

    // In the order of the configuration.
    [[nodiscard]] std::vector<cluster_view> views() const;
    [[nodiscard]] const health::topology_ptr& believed(std::size_t number) const;
    [[nodiscard]] std::vector<health::topology_ptr> believed() const; // in that order, too
    [[nodiscard]] const role_history& history() const noexcept { return history_; }

private:
    struct followed;

    boost::asio::io_context& control_;
    publisher publish_;
    role_history history_;
    std::map<std::size_t, std::unique_ptr<followed>> all_; // by number
    numbers names_;                                        // of those that are configured
    std::vector<std::size_t> order_;                       // of the configuration
    std::size_t made_ = 0;
    bool started_ = false;
};

struct clusters::plan
{
    plan();
    plan(plan&&) noexcept;
    ~plan();

    numbers names;
    std::vector<std::string> problems; // it must not be committed if there are any

private:
    friend class clusters;

    using heir_ptr = std::shared_ptr<health::succession::heir>;

    std::vector<std::pair<std::size_t, config::cluster_settings>> settings; // by number, in order
    std::map<std::size_t, std::unique_ptr<followed>> made;
    std::map<std::size_t, heir_ptr> heirs;
};

} // namespace rolegate::proxy
