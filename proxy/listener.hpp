// SPDX-License-Identifier: PostgreSQL
//
// The listening sockets of one listener. One worker accepts and deals the clients out to all
// workers in turn; with SO_REUSEPORT the kernel would deal few long-lived connections unevenly, and
// a second process could take the port unnoticed.
#pragma once

#include "proxy/listener_state.hpp"
#include "proxy/peer.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <list>
#include <optional>
#include <string>
#include <vector>

namespace rolegate::proxy
{

class worker;

class listener
{
public:
    // Binds and listens at once on every address; throws std::runtime_error with the
    // address in its text when one is taken. Accepting begins with start(), on `home`'s thread.
    listener(listener_state& state, worker& home, std::vector<worker*> all);
    ~listener();

    void start();

    // Closes the listening sockets. From any thread.
    void stop();

    // What the kernel says, e.g. "0.0.0.0:5432"; of a unix socket its path behind "unix:".
    [[nodiscard]] std::vector<std::string> bound() const;

    // On `home`'s thread, whenever something may have changed. When nobody has been routable for
    // withdraw_after, connects are refused: clients that know several hosts go on to the next, and
    // some do so only then (P-342). With the first member that is open the door is open again.
    void on_look();

private:
    using protocol = boost::asio::generic::stream_protocol;
    using acceptor = boost::asio::basic_socket_acceptor<protocol>;
    using time_point = std::chrono::steady_clock::time_point;

    struct socket
    {
        acceptor accepting;
        boost::asio::steady_timer pause;
        protocol::endpoint from; // the client being accepted
        std::string path;        // of a unix socket, until the file is removed
        time_point told{};       // when it was last said that none can be accepted
        bool accepts = false;    // an accept or a pause is under way
        bool withdrawn = false;  // shut down until it listens again
    };

    void open_socket(const config::host_port& bind);
    void accept_next(socket& s);
    void accept_later(socket& s, const std::string& why);
    void accepted(worker& to, protocol::socket client, const peer& from);
    void remove_files();
    void withdraw();
    void come_back();
    [[nodiscard]] bool listen_again(socket& s);

    listener_state& state_;
    worker& home_;
    std::vector<worker*> all_;
    std::list<socket> sockets_; // addresses stay
    std::vector<std::string> bound_;
    std::optional<time_point> closed_since_; // nobody has been routable since then
    std::size_t next_ = 0;
    bool withdrawn_ = false;
    bool listen_failed_ = false; // and it was said so
    bool stopped_ = false;
};

} // namespace rolegate::proxy
