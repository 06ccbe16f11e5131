// SPDX-License-Identifier: PostgreSQL
//
// Follows one cluster: asks Patroni's REST APIs by the schedule, keeps the evidence, has it
// decided, and hands out a topology whenever something was learnt. Control thread only.
#pragma once

#include "config/settings.hpp"
#include "health/decide.hpp"
#include "health/endpoints.hpp"
#include "health/patroni/rest_client.hpp"
#include "health/resolve.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <random>
#include <string>
#include <vector>

namespace rolegate::health
{

// One request to a source, for logs and metrics.
struct check
{
    std::string cluster;
    std::string member;      // the member's name, or the address before it is known
    std::string address;     // HOST:PORT of its REST API
    const char* source = ""; // "rest"
    std::string path;
    std::string error; // "" = a usable answer
    std::chrono::duration<double> took{};
};

// Where a monitor reports to. Called on the control thread, never from within the monitor's own
// constructor.
class observer
{
public:
    virtual ~observer() = default;

    // `changed`: the belief differs from the last one; else only ages have moved.
    virtual void on_topology(const topology_ptr& now_believed, bool changed) = 0;
    virtual void on_check(const check& c) = 0;
};

class monitor
{
public:
    // Throws std::runtime_error when the TLS files cannot be used.
    monitor(
        boost::asio::io_context& control, const config::cluster_settings& settings, observer& to
    );

    void start();
    void stop();

    // Live traffic saw this of `member`: look again at once. Cheap to call often.
    void hint(const std::string& member, life_sign seen);

    [[nodiscard]] const topology_ptr& believed() const noexcept { return believed_; }

private:
    boost::asio::awaitable<void> run();
    boost::asio::awaitable<void> ask_one(std::string address, question what);

    void start_asks();
    [[nodiscard]] pace current_pace(time_point now);
    void
    take_answer(rest_endpoint& e, question what, const patroni::rest_answer& a, time_point now);
    void take_word(rest_endpoint& e, question what, const patroni::rest_answer& a, time_point now);
    void take_listing(rest_endpoint& e, const patroni::rest_answer& a, time_point now);
    void take_ttl(rest_endpoint& e, const patroni::rest_answer& a);
    void fail(rest_endpoint& e, question what, const std::string& error, time_point now);
    void believe(time_point now);
    void note_unsettled(time_point now);
    void forget_strangers();

    boost::asio::awaitable<std::string> resolved(std::string host);

    boost::asio::io_context& control_;
    config::cluster_settings settings_;
    policy policy_;
    observer& observer_;
    std::unique_ptr<boost::asio::ssl::context> tls_;
    name_cache names_;
    boost::asio::steady_timer wake_;
    std::minstd_rand random_;

    endpoint_book endpoints_;
    evidence seen_;
    topology_ptr believed_;

    bool stopped_ = false;
    time_point listing_asked_{};
    time_point ttl_asked_{};
    time_point hinted_until_{};
    std::string hinted_member_;
    std::uint64_t hinted_generation_ = 0; // of the belief when that burst began
    std::optional<time_point> unsettled_since_;
    time_point published_{};
};

} // namespace rolegate::health
