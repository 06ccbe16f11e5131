// SPDX-License-Identifier: PostgreSQL
//
// Keeps what the DCS says of one cluster: a snapshot and a watch from there on one connection, and
// on another one the leader's key again every second or two, because a watch may hang unnoticed
// and a lease that is renewed makes no event. Fills in a dcs_report; decides nothing. Control
// thread only.
#pragma once

#include "health/dcs/guard.hpp"
#include "health/dcs/protocol.hpp"
#include "health/evidence.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace rolegate::health::dcs
{

// What a follower tells, always from a turn of the control thread of its own, and what it asks.
struct follower_observer
{
    // The report has changed, if only in its ages. `changed`: members whose key has.
    std::function<void(const dcs_report&, const std::set<std::string>& changed)> on_report;

    // A request has ended: endpoint, what, error ("" = fine), how long it took.
    std::function<
        void(const std::string&, const char*, const std::string&, std::chrono::duration<double>)>
        on_request;

    // The numeric address of a host; "" = none in time.
    std::function<boost::asio::awaitable<std::string>(std::string)> resolve;

    // Nobody answers at this address of a host.
    std::function<void(const std::string& host, const std::string& address)> avoid;
};

class follower
{
public:
    // Throws std::runtime_error when the TLS files cannot be used.
    follower(
        boost::asio::io_context& control, const config::dcs_settings& settings, follower_observer to
    );

    void start(const std::shared_ptr<const void>& owner = {}); // who lives until all has ended
    void stop();

    [[nodiscard]] const dcs_report& report() const noexcept { return report_; }

private:
    template <class T> using awaitable = boost::asio::awaitable<T>;

    awaitable<void> run_watch();
    awaitable<std::string> follow(std::size_t at, http_connection& connection);
    awaitable<void> run_rereads();
    awaitable<std::string> reread(std::size_t at, http_connection& connection, bool& open);
    awaitable<std::string> connect(std::size_t at, http_connection& to);

    std::string take_snapshot(const snapshot_answer& s, time_point asked);
    std::string take_changes(const server_mark& mark, const std::vector<change>& changes);
    void reread_soon();
    [[nodiscard]] bool lease_runs_out() const;
    void take_leader(const leader_answer& l, time_point asked);
    [[nodiscard]] bool same_leader(const leader_answer& l) const;
    void publish(const std::set<std::string>& changed = {});
    void watch_failed(std::size_t at, const std::string& why);
    static awaitable<void> sleep(boost::asio::steady_timer& timer, std::chrono::milliseconds time);
    [[nodiscard]] std::string name_of(std::size_t at) const;
    void tell(std::size_t at, const char* what, const std::string& error, time_point began) const;

    boost::asio::io_context& control_;
    config::dcs_settings settings_;
    follower_observer observer_;
    std::unique_ptr<boost::asio::ssl::context> tls_;
    std::unique_ptr<protocol> protocol_;
    std::minstd_rand random_;
    boost::asio::steady_timer watch_timer_;
    boost::asio::steady_timer reread_timer_;

    cluster_keys keys_;
    dcs_report report_;
    guard guard_;
    std::size_t watched_ = 0;             // index of the endpoint the watch is at
    http_connection* watching_ = nullptr; // the watch's connection while it stands
    http_connection* rereading_ = nullptr;
    bool watch_stands_ = false;
    time_point stands_since_{};
    std::string watch_error_;
    std::string reread_error_;
    std::size_t failed_in_row_ = 0; // endpoints that the watch has left since it last stood
    std::size_t strangers_ = 0;     // how many of them were refused by the guard
    bool reread_due_ = false;       // at once, not after the usual pause
    bool stopped_ = false;
};

} // namespace rolegate::health::dcs
