// SPDX-License-Identifier: PostgreSQL
//
// Host names to numeric addresses, on the control thread; looked up on the pool's threads. Workers
// never resolve. Every address of a name is known and the first is the one to use; the last good
// answer is kept when a later look-up fails, and as long as one is not answered.
#pragma once

#include "health/address.hpp"
#include "health/lookup_pool.hpp"
#include "health/member.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace rolegate::health
{

class name_cache
{
public:
    // `changed` is called after an answer that differs from the one before.
    name_cache(boost::asio::io_context& control, std::function<void()> changed);

    // Starts a look-up unless one is under way or the answer is younger than 30 s. A numeric
    // address and the path of a unix socket are their own answers.
    void want(const std::string& host);

    // Where the host is, or was by the last good answer. Only one that is not known yet is waited
    // for, until `limit`, and then "".
    [[nodiscard]] boost::asio::awaitable<std::string>
    address_of(std::string host, std::chrono::milliseconds limit);

    // Nobody answers there: the other addresses of the name come first from now on, and it is
    // looked up again soon. Once round all of them in 30 s: where nobody answers at all, nothing
    // is gained by going on.
    void avoid(const std::string& host, const std::string& address);

    // Whoever waits for an address goes on without one.
    void stop() noexcept { stopped_ = true; }

    [[nodiscard]] const std::map<std::string, address_list>& addresses() const
    {
        return addresses_;
    }

private:
    void answered(const std::string& host, const address_list& found);

    struct entry
    {
        time_point asked{}; // or answered, if that has come
        bool in_flight = false;
        bool doubted = false;  // an address of it did not answer since
        time_point turning{};  // since when addresses are put behind the others
        std::size_t turns = 0; // how often that was done since
    };

    lookup_pool& lookups_;
    std::function<void()> changed_;
    std::map<std::string, entry> asked_;
    std::map<std::string, address_list> addresses_;
    bool stopped_ = false;
    // A look-up cannot be called back, and may find nobody here when it ends.
    std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

} // namespace rolegate::health
