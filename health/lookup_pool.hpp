// SPDX-License-Identifier: PostgreSQL
//
// Host names are looked up beside each other, on threads that live no longer than there is anything
// to look up: a name whose DNS server is silent delays no other one, until such names hold every
// thread. One pool for all name_caches of an io_context, which asio::use_service finds like Asio's
// own services; whoever has other answers than the system's brings them with asio::make_service.
#pragma once

#include "health/address.hpp"

#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace rolegate::health
{

// Called on any thread, several times at once.
using lookup_function = std::function<address_list(const std::string& host)>;

struct lookup_limits
{
    std::size_t threads = 16;     // at once; each is one look-up
    std::size_t slow_threads = 8; // of them, for names whose last look-up was slow
    std::size_t names = 4096;     // that wait or are looked up; one more is answered with nothing
    std::chrono::milliseconds slow{1000};
};

class lookup_pool final : public boost::asio::execution_context::service
{
public:
    static boost::asio::execution_context::id id;

    using answer_function = std::function<void(const address_list& found)>;

    explicit lookup_pool(boost::asio::io_context& control); // by look_up()
    lookup_pool(
        boost::asio::execution_context& control, // an io_context
        lookup_function how,
        lookup_limits limits = {}
    );
    ~lookup_pool() override;

    // `then` is called on the control thread, in its turn. Whoever asks for a name that waits or is
    // being looked up shares that answer.
    void ask(const std::string& host, answer_function then);

private:
    // Nobody is called any more. A look-up that hangs is left behind after a tenth of a second: its
    // thread touches nothing but the work, and ends with the process.
    void shutdown() override;

    struct work;
    const std::shared_ptr<work> work_;
};

} // namespace rolegate::health
