// SPDX-License-Identifier: PostgreSQL
//
// One address that clients come to, and the listener, or those that share it, whose clients they
// are: a reload may lead it elsewhere. One worker accepts and deals the clients out to all workers
// in turn; with SO_REUSEPORT the kernel would deal few long-lived connections unevenly, and a
// second process could take the port unnoticed.
#pragma once

#include "proxy/listener_state.hpp"
#include "proxy/listening_socket.hpp"
#include "proxy/peer.hpp"

#include <memory>
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
    // listens at once; throws std::runtime_error with the address in its text when it is taken.
    // Accepting begins with start(), on `home`'s thread.
    listener(
        const listener_ptr& state,
        const config::host_port& bind,
        worker& home,
        std::vector<worker*> all
    );

    void start();

    // From now on clients begin as this one's. Nobody who waits to be accepted is lost.
    void lead_to(listener_ptr state);

    // Closes the listening socket. From any thread, as all of these.
    void stop();

    // The same when another process has it as well and accepts from now on.
    void leave_to_others();

    // As stop(), and it is told of nothing any more. Clients who wait in its queue are turned away,
    // also when another process keeps the socket.
    static void end(std::shared_ptr<listener> which);

    const std::string address; // as it was asked for: its port may be 0

    // See listening_socket; the latter until stop(). `name`: of its listener.
    [[nodiscard]] const std::string& bound() const noexcept { return socket_.bound(); }
    [[nodiscard]] shared_socket shared_as(const std::string& name) const
    {
        return socket_.shared_as(name);
    }

    // On `home`'s thread, whenever something may have changed. When nobody has been routable for
    // withdraw_after, connects are refused: clients that know several hosts go on to the next, and
    // some do so only then (P-342). With the first member that is open the door is open again.
    void on_look();

private:
    using time_point = std::chrono::steady_clock::time_point;

    void open();
    void close();
    void on_client(listening_socket& s) override;
    void pause(const std::string& why);
    void accepted(unique_fd client, const peer& from);
    void withdraw();
    void come_back();
    [[nodiscard]] bool leads_anywhere() const;

    listener_ptr state_; // touched on home's thread
    worker& home_;
    std::vector<worker*> all_;
    listening_socket socket_;
    std::optional<time_point> closed_since_; // nobody has been routable since then
    time_point told_{};                      // when it was last said that none can be accepted
    std::size_t next_ = 0;
    bool pauses_ = false;        // until the next look
    bool withdrawn_ = false;     // refuses connects until it listens again
    bool listen_failed_ = false; // and it was said so
    bool stopped_ = false;
};

} // namespace rolegate::proxy
