// SPDX-License-Identifier: PostgreSQL
//
// The listening sockets of one listener, or of several that share their bind. One worker accepts
// and deals the clients out to all workers in turn; with SO_REUSEPORT the kernel would deal few
// long-lived connections unevenly, and a second process could take the port unnoticed.
#pragma once

#include "proxy/listener_state.hpp"
#include "proxy/listening_socket.hpp"
#include "proxy/peer.hpp"

#include <list>
#include <optional>
#include <string>
#include <vector>

namespace rolegate::proxy
{

class worker;

class listener final : private listening_socket::owner
{
public:
    // `state`: the first of those that share the bind; every client begins as its. Binds and
    // listens at once on every address; throws std::runtime_error with the address in its text when
    // one is taken. Accepting begins with start(), on `home`'s thread.
    listener(listener_state& state, worker& home, std::vector<worker*> all);

    void start();

    // Closes the listening sockets. From any thread.
    void stop();

    // The same when another process has them as well and accepts from now on.
    void leave_to_others();

    // See listening_socket.
    [[nodiscard]] std::vector<std::string> bound() const;
    [[nodiscard]] std::vector<shared_socket> sockets() const; // until stop()

    // On `home`'s thread, whenever something may have changed. When nobody has been routable for
    // withdraw_after, connects are refused: clients that know several hosts go on to the next, and
    // some do so only then (P-342). With the first member that is open the door is open again.
    void on_look();

private:
    using time_point = std::chrono::steady_clock::time_point;

    struct entrance
    {
        listening_socket socket;
        time_point told{};      // when it was last said that none can be accepted
        bool pauses = false;    // until the next look
        bool withdrawn = false; // refuses connects until it listens again

        entrance(listener& of, const config::host_port& bind);
    };

    void bind_to(const config::host_port& bind);
    void open(entrance& e);
    void on_client(listening_socket& s) override;
    void pause(entrance& e, const std::string& why);
    void accepted(unique_fd client, const peer& from);
    void withdraw();
    void come_back();
    [[nodiscard]] bool listen_again(entrance& e);

    listener_state& state_;
    worker& home_;
    std::vector<worker*> all_;
    std::list<entrance> entrances_;          // addresses stay
    std::optional<time_point> closed_since_; // nobody has been routable since then
    std::size_t next_ = 0;
    bool withdrawn_ = false;
    bool listen_failed_ = false; // and it was said so
    bool stopped_ = false;
};

} // namespace rolegate::proxy
