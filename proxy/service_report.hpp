// SPDX-License-Identifier: PostgreSQL
//
// Tells the service manager again and again how we are. Only while the control thread and every
// worker answer: a keep-alive from a process of which a part hangs would be a lie.
#pragma once

#include "proxy/service_notify.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <functional>
#include <string>

namespace rolegate::proxy
{

class service_report
{
public:
    // Asks every worker; comes back when the last one has answered.
    using session_count = std::function<boost::asio::awaitable<std::size_t>()>;
    using status_text = std::function<std::string(std::size_t sessions)>;

    service_report(
        boost::asio::io_context& control,
        service_notify& to,
        session_count sessions,
        status_text status
    );

    // Does nothing when nobody listens.
    void start();
    void stop();

private:
    boost::asio::awaitable<void> run();

    service_notify& to_;
    session_count sessions_;
    status_text status_;
    boost::asio::steady_timer timer_;
    bool stopped_ = false;
};

} // namespace rolegate::proxy
