// SPDX-License-Identifier: PostgreSQL
//
// What clients meet: the listeners, the workers that serve them, and what those share. Made and
// called on the control thread; knows nothing of how a topology comes about.
#pragma once

#include "health/topology.hpp"
#include "proxy/listener.hpp"
#include "proxy/standstill.hpp"
#include "proxy/worker.hpp"

#include <boost/asio/awaitable.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::proxy
{

class front
{
public:
    // Binds at once. Throws std::runtime_error: an address is taken, a certificate cannot be used.
    front(
        const config::settings& settings,
        const std::vector<health::topology_ptr>& first_beliefs, // by cluster
        worker_observer& observer
    );

    void start();
    void publish(std::size_t cluster, const health::topology_ptr& t);

    // Reads certificates and keys again, for sessions yet to come. Throws when a file is missing or
    // wrong; then nothing has changed.
    void load_tls();

    // Holds the new clients of a listener, or lets them in again. False: there is none.
    [[nodiscard]] bool pause(std::string_view listener, bool paused);

    // Politely. False: no session has this number.
    [[nodiscard]] boost::asio::awaitable<bool> kill(std::uint64_t session);
    [[nodiscard]] boost::asio::awaitable<session_list> sessions(const session_query& q);

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
    [[nodiscard]] boost::asio::awaitable<worker_stats> stats();

    // By the listener's index.
    [[nodiscard]] std::vector<std::string> bound(std::size_t i) const
    {
        return entrances_[i]->bound();
    }
    [[nodiscard]] bool paused(std::size_t i) const { return states_[i].door.paused(); }
    [[nodiscard]] const selection& members(std::size_t i) const { return states_[i].members; }
    [[nodiscard]] listener_traffic traffic(std::size_t i) const
    {
        return states_[i].traffic.so_far();
    }
    [[nodiscard]] std::size_t maxconn() const noexcept { return process_.maxconn; }
    [[nodiscard]] std::size_t cluster_of(std::size_t i) const { return states_[i].cluster; }
    [[nodiscard]] destination leads_to(std::size_t i) const { return states_[i].to; }

private:
    void make_states(const config::settings& settings);
    void make_listeners(const config::settings& settings);
    void make_workers(
        const config::settings& settings,
        const std::vector<health::topology_ptr>& beliefs,
        worker_observer& observer
    );

    template <class T>
    static boost::asio::awaitable<T> ask(worker& w, const std::function<T(worker&)>& what);

    process_state process_;
    std::deque<listener_state> states_; // addresses stay
    std::vector<std::unique_ptr<worker>> workers_;
    std::vector<std::unique_ptr<listener>> listeners_; // one for those that share a bind
    std::vector<const listener*> entrances_;           // by the listener's index
};

} // namespace rolegate::proxy
