// SPDX-License-Identifier: PostgreSQL
//
// One thread, one event loop: the sessions that live on it, what they believe of each cluster,
// their buffers and counters. No lock: others reach a worker by posting to its loop.
#pragma once

#include "health/topology.hpp"
#include "proxy/buffer_pool.hpp"
#include "proxy/event_loop.hpp"
#include "proxy/recent.hpp"
#include "proxy/session.hpp"
#include "proxy/session_list.hpp"
#include "proxy/token_bucket.hpp"
#include "proxy/worker_observer.hpp"

#include <exception>
#include <map>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>

namespace rolegate::proxy
{

class listener;

class worker
{
public:
    // Resolution of idle time.
    static constexpr std::chrono::milliseconds tick_length{100};

    worker(
        std::size_t index,
        std::size_t workers,
        std::size_t buffer_size, // of its relays, bytes
        worker_observer& observer
    );
    ~worker();

    [[nodiscard]] event_loop& loop() noexcept { return loop_; }

    // --- from any thread ---

    void start();
    void publish(std::size_t cluster, health::topology_ptr t);
    void forget(std::size_t cluster); // no session refers to it any more

    // All that there are from now on; their clusters have been published. Sessions of those that
    // are missing end when they are idle; who waits at the others goes on by the new settings.
    void use(std::vector<listener_ptr> listeners);

    void wake(std::size_t listener, ticket whose); // see hold
    void begin_shutdown();                         // sessions end when they are idle
    void cut_all();                                // sessions end now
    void stop();                                   // and join; no session may be left

    // --- on the worker's thread ---

    [[nodiscard]] worker_stats stats() const; // a copy, with what live sessions have passed so far
    [[nodiscard]] std::size_t sessions() const;

    // The oldest that match, as many as asked for, and how many there are.
    [[nodiscard]] session_list list(const session_query& q) const;

    // Politely.
    [[nodiscard]] kill_result kill(std::uint64_t id);

    void start_session(unique_fd client, listener_ptr l, const peer& from);
    void remove(session& s);

    // A door kept here is told of every change of a cluster, and ten times a second.
    void keep(listener& door);
    void release(listener& door);

    // What holds for this listener now; nullptr: there is none any more.
    [[nodiscard]] listener_ptr current(std::size_t listener) const noexcept;

    // Where a session is listed: those that wait for something are swept ten times a second, those
    // that relay are left alone.
    void watch(session& s);
    void settle(session& s);

    [[nodiscard]] const health::topology_ptr& believed(std::size_t cluster) const
    {
        return beliefs_.at(cluster);
    }
    [[nodiscard]] listener_stats& stats_of(listener_state& l) const { return l.stats(index_); }
    [[nodiscard]] buffer_pool& buffers() noexcept { return buffers_; }
    [[nodiscard]] const relay::tick& now() const noexcept { return tick_; }
    [[nodiscard]] std::size_t index() const noexcept { return index_; }

    // A client whose first packet is not whole yet; listed until its opening is unlinked.
    void note_handshake(opening& o) { in_handshake_.push_back(o); }

    // The oldest of them at this listener makes room. False: this worker has none.
    bool end_oldest_handshake(const listener_state& l);

    // While a session is held: on_wake() is for whoever has this ticket.
    void await_wake(session& s, ticket number);
    void forget_wake(const listener_state& l, ticket number);

    // A CancelRequest with an unknown key costs every member a process.
    [[nodiscard]] bool may_offer_cancel();

    // A session of this listener has reached its server.
    void note_routed(const listener_state& l, const std::string& member);

    // Sessions of this listener were ended because the member lost the role.
    void note_cut(const listener_state& l, const std::string& member, std::size_t n);

    void hint(std::size_t cluster, const std::string& member, health::life_sign seen);

    // It has taken a connection and said nothing in time: for a while others come first.
    void note_silent(const listener_state& l, const std::string& member);
    [[nodiscard]] const recent& silent_members() const noexcept { return silent_; } // by cluster

    // Once in a while for each member: all its sessions fail alike.
    void note_server_tls_failed(
        const listener_state& l, const std::string& member, const std::string& problem
    );

private:
    using listed_sessions =
        boost::intrusive::list<session, boost::intrusive::constant_time_size<false>>;

    using opening_list =
        boost::intrusive::list<opening, boost::intrusive::constant_time_size<false>>;

    void run();
    void adopt(std::size_t cluster, health::topology_ptr t);
    void adopt_listeners(std::vector<listener_ptr> listeners);
    [[nodiscard]] std::vector<listener_ptr> all_listeners() const;
    [[nodiscard]] bool is_wanted(const session& s) const;
    void drain(session& s);
    void sweep();
    void tell_stale(session::time_point now);
    void end_stale_sessions(session::time_point now);
    void sweep_gone_clients(session::time_point now);
    void sweep_idle();
    void send_back();
    void rebalance(session::time_point now);
    std::size_t move_sessions(const listener_state& l, std::string_view member, std::size_t most);

    // `act` may move the session to the other list, but not destroy it: destruction follows from a
    // later turn of the loop.
    template <class Do> static void for_each_session(listed_sessions& list, Do act)
    {
        for (auto it = list.begin(); it != list.end();)
        {
            auto& s = *it++;
            act(s);
        }
    }

    const std::size_t index_;
    const std::size_t workers_;
    std::map<std::size_t, health::topology_ptr> beliefs_; // by cluster
    std::set<std::size_t> stale_;                         // clusters, and it has been told
    std::vector<listener_ptr> listeners_;
    std::vector<std::weak_ptr<listener_state>> replaced_; // some sessions may go by these still
    worker_observer& observer_;

    event_loop loop_;
    event_loop::alarm sweeper_{loop_};
    std::thread thread_;

    // By cluster: the primary that sessions were led to.
    std::map<std::size_t, std::string> last_writer_;
    buffer_pool buffers_;
    opening_list in_handshake_; // oldest first
    listed_sessions waiting_;
    listed_sessions relaying_;
    std::vector<pollfd> polled_; // reused by every sweep
    std::vector<session*> polled_session_;
    std::vector<listener*> doors_;                            // that are kept here
    std::map<std::pair<std::size_t, ticket>, session*> held_; // by listener and ticket
    token_bucket cancel_offers_;
    recent endings_; // hints, by cluster
    recent refusals_;
    recent silences_;
    recent tls_failures_; // told of, by listener
    recent silent_;       // members, by cluster
    relay::tick tick_ = 0;
    std::uint64_t started_ = 0;
    std::uint64_t rebalanced_ = 0; // in this second of the clock
    bool shutting_down_ = false;
};

} // namespace rolegate::proxy
