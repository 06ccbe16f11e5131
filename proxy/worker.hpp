// SPDX-License-Identifier: PostgreSQL
//
// One thread, one io_context: the sessions that live on it, what they believe of each cluster,
// their buffers and counters. No lock: others reach a worker by posting to its context.
#pragma once

#include "health/topology.hpp"
#include "proxy/buffer_pool.hpp"
#include "proxy/session.hpp"
#include "proxy/worker_observer.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include <poll.h>

namespace rolegate::proxy
{

class worker
{
public:
    worker(
        std::size_t index,
        std::size_t workers,
        std::vector<health::topology_ptr> first_beliefs,
        std::size_t listeners,
        worker_observer& observer
    );
    ~worker();

    [[nodiscard]] boost::asio::io_context& context() noexcept { return context_; }

    // --- from any thread ---

    void start();
    void publish(std::size_t cluster, health::topology_ptr t);
    void begin_shutdown(); // sessions end when they are idle
    void cut_all();        // sessions end now
    void stop();           // and join; no session may be left

    // A copy made on the worker's thread. Awaited on another context's executor.
    boost::asio::awaitable<worker_stats> copy_stats();
    boost::asio::awaitable<std::size_t> count_sessions();

    // --- on the worker's thread ---

    void start_session(boost::asio::ip::tcp::socket client, listener_state& l);
    void remove(session& s);

    // Where a session is listed: those that wait for something are swept ten times a second, those
    // that relay are left alone.
    void watch(session& s);
    void settle(session& s);

    [[nodiscard]] const health::topology_ptr& believed(std::size_t cluster) const
    {
        return beliefs_[cluster];
    }
    [[nodiscard]] listener_stats& stats_of(const listener_state& l) { return stats_[l.index]; }
    [[nodiscard]] buffer_pool& buffers() noexcept { return buffers_; }

    // A session of this listener has reached its server.
    void note_routed(const listener_state& l, const std::string& member);

    // Sessions of this listener were ended because the member lost the role.
    void note_cut(const listener_state& l, const std::string& member, std::size_t n);

    void hint(std::size_t cluster, const std::string& member, health::life_sign seen);
    void report(const std::exception_ptr& e) const;

private:
    using session_list =
        boost::intrusive::list<session, boost::intrusive::constant_time_size<false>>;

    struct hinted
    {
        std::size_t cluster = 0;
        std::string member;
        health::life_sign seen{};
        session::time_point at{};
    };

    void run();
    void adopt(std::size_t cluster, health::topology_ptr t);
    void sweep();
    void end_stale_sessions(session::time_point now);
    void sweep_gone_clients(session::time_point now);
    template <class Do> void for_each_session(session_list& list, Do act);

    const std::size_t index_;
    const std::size_t workers_;
    std::vector<health::topology_ptr> beliefs_; // by cluster
    worker_observer& observer_;

    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    boost::asio::steady_timer sweeper_;
    std::thread thread_;

    std::vector<std::string> last_writer_; // by cluster: the primary that sessions were led to
    worker_stats stats_;
    buffer_pool buffers_;
    session_list waiting_;
    session_list relaying_;
    std::vector<pollfd> polled_; // reused by every sweep
    std::vector<session*> polled_session_;
    std::uint64_t started_ = 0;
    bool shutting_down_ = false;
    std::vector<hinted> hinted_; // within the last milliseconds
};

} // namespace rolegate::proxy
