// SPDX-License-Identifier: PostgreSQL
//
// What clients meet: the listeners, the workers that serve them, and what those share. Made and
// called on the control thread; knows nothing of how a topology comes about.
//
// To start is to reload from nothing: prepare() does all that can fail, and nobody notices;
// commit() cannot fail. In between the clusters are told what is demanded of them, and what is
// believed of them is published: workers learn of a listener behind the topology that judges its
// members, because both are posted.
#pragma once

#include "config/settings.hpp"
#include "health/topology.hpp"
#include "proxy/listener.hpp"
#include "proxy/standstill.hpp"
#include "proxy/worker.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::proxy
{

// Clusters by name; their numbers are never used again.
using cluster_numbers = std::map<std::string, std::size_t>;

// The listeners of one configuration. What has not changed is shared with the one before.
struct listener_set
{
    struct group // of those that share a bind
    {
        std::vector<listener_ptr> states; // in the order of the configuration
        std::vector<std::shared_ptr<listener>> entrances;
    };

    std::vector<group> groups;
    std::vector<listener_ptr> states;    // of all listeners, in the order of the configuration
    std::vector<std::size_t> group_of;   // by the same index
    std::size_t maxconn = 0;             // of the process
    std::vector<std::string> problems{}; // it must not be committed if there are any
};

class front
{
public:
    // Of `settings` what cannot be changed: `workers` and `buffer_size`.
    front(const config::settings& settings, worker_observer& observer);
    ~front();

    // Binds what is new and reads all certificates and keys.
    [[nodiscard]] listener_set
    prepare(const config::settings& settings, const cluster_numbers& clusters);

    // What listeners demand of a cluster: those that were prepared, and those by which sessions
    // go still. The verdicts stand in this order in each member's grants.
    [[nodiscard]] std::vector<seating::demand> demands(std::size_t cluster) const;

    // After some sessions have gone. True: demands() of some cluster are other ones.
    bool tidy();

    // Somebody refers to it: a listener, or a session that began when one did.
    [[nodiscard]] bool uses(std::size_t cluster) const;

    // All the clusters have been published.
    void commit(listener_set next);

    void start();
    void publish(std::size_t cluster, const health::topology_ptr& t);
    void forget(std::size_t cluster); // that is not used

    // Holds the new clients of a listener, or lets them in again. False: there is none.
    [[nodiscard]] bool pause(std::string_view listener, bool paused);

    // Politely.
    [[nodiscard]] boost::asio::awaitable<kill_result> kill(std::uint64_t session);

    // A list for each query, in one walk.
    [[nodiscard]] boost::asio::awaitable<std::vector<session_list>>
    sessions(std::vector<session_query> queries);

    [[nodiscard]] std::vector<std::string> names() const; // of the listeners

    // Names of the listeners before this cluster that lead to nobody now.
    [[nodiscard]] std::vector<std::string> deserted(const health::topology& t) const;

    void begin_shutdown(); // no new clients; sessions end when they are idle

    // No new clients, for another process has the sockets; sessions and who is held go on.
    void leave_to_others();

    // Listening sockets, and workers that close no descriptor while that lives. Throws
    // std::runtime_error when one of them does not answer.
    [[nodiscard]] std::vector<shared_socket> sockets() const;
    [[nodiscard]] std::unique_ptr<standstill> stand_still();

    void cut_all();
    void stop(); // whatever is left is thrown away

    [[nodiscard]] std::size_t workers() const noexcept { return workers_.size(); }
    [[nodiscard]] boost::asio::awaitable<std::size_t> sessions_left();
    [[nodiscard]] boost::asio::awaitable<worker_stats> stats(); // by listener_state::id

    // In the order of the configuration.
    [[nodiscard]] const std::vector<listener_ptr>& listeners() const noexcept
    {
        return now_.states;
    }

    // Addresses of the listener with this index.
    [[nodiscard]] std::vector<std::string> bound(std::size_t i) const;
    [[nodiscard]] std::size_t maxconn() const noexcept { return process_.maxconn; }

private:
    using indexes = std::vector<std::size_t>;

    [[nodiscard]] listener_ptr find(std::string_view name) const;
    listener_set::group prepare_group(
        const config::settings& settings,
        const indexes& which,
        const cluster_numbers& clusters,
        std::vector<std::string>& problems
    );
    [[nodiscard]] std::shared_ptr<doorway> make_doorway(const config::listener_settings& l);
    [[nodiscard]] std::vector<std::shared_ptr<listener>> prepare_entrances(
        const listener_ptr& first,
        const std::vector<config::host_port>& bind,
        std::vector<std::string>& problems
    );

    template <class T>
    static boost::asio::awaitable<T> ask(worker& w, const std::function<T(worker&)>& what);

    process_state process_;
    std::vector<std::unique_ptr<worker>> workers_;
    std::map<std::size_t, seating> seatings_;             // by cluster
    std::map<std::size_t, health::topology_ptr> beliefs_; // by cluster
    listener_set now_;
    std::size_t listeners_made_ = 0;
};

} // namespace rolegate::proxy
