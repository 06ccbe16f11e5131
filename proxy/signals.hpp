// SPDX-License-Identifier: PostgreSQL
//
// The signals that the process answers to. Each of them would end it before they are asked for, so
// this is made before anything that takes its time; what comes early waits for async_wait().
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>

namespace rolegate::proxy
{

struct signals final : boost::asio::signal_set
{
    explicit signals(boost::asio::io_context& control)
        : basic_signal_set(control, SIGTERM, SIGINT, SIGQUIT)
    {
        add(SIGHUP);
        add(SIGUSR2);
    }
};

} // namespace rolegate::proxy
