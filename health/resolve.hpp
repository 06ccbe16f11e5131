// SPDX-License-Identifier: PostgreSQL
//
// Host names to numeric addresses, on the control thread. Workers never resolve: a running
// getaddrinfo cannot be cancelled. The last good answer is kept when a later look-up fails.
#pragma once

#include "health/member.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <string>

namespace rolegate::health
{

class name_cache
{
public:
    // `changed` is called after an answer that differs from the one before.
    name_cache(boost::asio::io_context& control, std::function<void()> changed);

    // Starts a look-up unless the answer is younger than 30 s. A numeric address is its own answer.
    void want(const std::string& host);

    // The address of a host that is not known yet comes within `limit`, or never: "".
    [[nodiscard]] boost::asio::awaitable<std::string>
    address_of(std::string host, std::chrono::milliseconds limit);

    void stop()
    {
        stopped_ = true;
        resolver_.cancel();
    }

    [[nodiscard]] const std::map<std::string, std::string>& addresses() const { return addresses_; }

private:
    void answered(
        const std::string& host,
        const boost::system::error_code& ec,
        const boost::asio::ip::tcp::resolver::results_type& results
    );

    struct entry
    {
        time_point asked{};
        bool in_flight = false;
    };

    boost::asio::ip::tcp::resolver resolver_;
    std::function<void()> changed_;
    std::map<std::string, entry> asked_;
    std::map<std::string, std::string> addresses_;
    bool stopped_ = false;
};

} // namespace rolegate::health
