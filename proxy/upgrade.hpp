// SPDX-License-Identifier: PostgreSQL
//
// SIGUSR2: the program is started once more on the same listening sockets, and when it accepts,
// this process leaves them to it. Until then nothing has changed here. Control thread only.
#pragma once

#include "proxy/handed_over.hpp"
#include "proxy/standstill.hpp"
#include "proxy/successor.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace rolegate::proxy
{

class upgrade
{
public:
    struct steps
    {
        std::function<std::unique_ptr<standstill>()> stand_still; // may throw
        std::function<std::vector<shared_socket>()> sockets;
        std::function<handed_over()> state;
        std::function<void(pid_t)> leave;          // it accepts
        std::function<void(standing_orders)> obey; // what operators have ordered there
        std::function<void()> died; // it accepted, and has crashed: nobody serves clients
    };

    // Remembers how the process was started.
    upgrade(boost::asio::io_context& control, steps s);
    ~upgrade() { give_up(); }
    upgrade(const upgrade&) = delete;
    upgrade& operator=(const upgrade&) = delete;

    // What is changed here now the successor would not know.
    [[nodiscard]] bool under_way() const noexcept { return successor_ && !done_; }

    // What goes wrong is said in the log.
    void begin();

    // A successor that does not accept yet must not any more.
    void give_up() noexcept;

    // Now and then.
    void reap();

private:
    boost::asio::awaitable<void> follow_successor();

    boost::asio::io_context& control_;
    const steps steps_;
    const command_line command_ = own_command_line();
    std::optional<successor> successor_;
    bool done_ = false;
    bool handed_on_ = false; // its end is its own successor's affair
};

} // namespace rolegate::proxy
