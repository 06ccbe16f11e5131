// SPDX-License-Identifier: PostgreSQL
//
// Asks the REST APIs of one cluster by the schedule and writes what they say into the evidence.
// Control thread only.
#pragma once

#include "config/settings.hpp"
#include "health/endpoints.hpp"
#include "health/evidence.hpp"
#include "health/http_connection.hpp"
#include "health/observer.hpp"
#include "health/resolve.hpp"
#include "health/schedule.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>

namespace rolegate::health::patroni
{

class rest_poller
{
public:
    // `learnt` is called after every answer or failure. Throws std::runtime_error when the TLS
    // files cannot be used.
    rest_poller(
        boost::asio::io_context& control,
        const config::cluster_settings& settings,
        name_cache& names,
        evidence& seen,
        std::function<void(const check&)> learnt
    );

    void stop() noexcept { stopped_ = true; }

    // Sends what is due; `p` needs no more than what the evidence cannot tell. Returns when to come
    // again, unless something happens before. `owner` lives until the last answer is in.
    time_point ask(pace p, time_point now, const std::shared_ptr<const void>& owner);

    // Members known from elsewhere.
    void adopt(const cluster_listing& listing) { endpoints_.adopt(listing); }

    // Something says that this member has changed: its word is due now.
    void touch(const std::string& member);

    // What belongs to members that `gone` names: nothing may grow with names that come and go.
    void forget(const std::function<bool(const std::string& member)>& gone);

private:
    boost::asio::awaitable<void> ask_one(std::string address, question what);
    [[nodiscard]] http_target target_of(const rest_endpoint& e);
    [[nodiscard]] word_report known_of(const std::string& member) const;
    void take_answer(rest_endpoint& e, question what, const http_answer& a, time_point now);
    void take_word(rest_endpoint& e, question what, const http_answer& a, time_point now);
    void take_listing(rest_endpoint& e, const http_answer& a, time_point now);
    void take_ttl(rest_endpoint& e, const http_answer& a);
    void fail(rest_endpoint& e, question what, const std::string& error);

    boost::asio::io_context& control_;
    const config::patroni_settings settings_;
    const std::string cluster_;
    const std::string scope_; // "" = not checked
    name_cache& names_;
    evidence& seen_;
    std::function<void(const check&)> learnt_;
    std::unique_ptr<boost::asio::ssl::context> tls_;
    endpoint_book endpoints_;
    time_point listing_asked_{};
    time_point ttl_asked_{};
    bool stopped_ = false;
};

} // namespace rolegate::health::patroni
