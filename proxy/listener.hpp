// SPDX-License-Identifier: PostgreSQL
//
// The door: listening sockets of one listener. One worker accepts and deals the clients out to
// all workers in turn; with SO_REUSEPORT the kernel would deal few long-lived connections unevenly,
// and a second process could take the port unnoticed.
#pragma once

#include "config/settings.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <list>
#include <string>
#include <vector>

namespace rolegate::proxy
{

class worker;

// What all workers know and share of a listener. Outlives them.
struct listener_state
{
    config::listener_settings settings;
    std::size_t index = 0;              // in the configuration
    std::size_t cluster = 0;            // index of its cluster
    std::atomic<std::uint64_t> turn{0}; // round robin, over all workers
    std::atomic<std::size_t> held{0};   // clients held, over all workers: queue.max
};

class listener
{
public:
    // Binds and listens at once on every address; throws std::runtime_error with the
    // address in its text when one is taken. Accepting begins with start(), on `home`'s thread.
    listener(listener_state& state, worker& home, std::vector<worker*> all);

    void start();

    // Closes the listening sockets. From any thread.
    void stop();

    // What the kernel says, e.g. "0.0.0.0:5432".
    [[nodiscard]] std::vector<std::string> bound() const;

private:
    struct door
    {
        boost::asio::ip::tcp::acceptor acceptor;
        boost::asio::steady_timer pause;
        bool pausing = false; // out of descriptors, and it was said so
    };

    void open_door(const config::host_port& bind);
    void accept_next(door& d);
    void accepted(worker& to, boost::asio::ip::tcp::socket client);

    listener_state& state_;
    worker& home_;
    std::vector<worker*> all_;
    std::list<door> doors_; // addresses stay
    std::vector<std::string> bound_;
    std::size_t next_ = 0;
    bool stopped_ = false;
};

} // namespace rolegate::proxy
