// SPDX-License-Identifier: PostgreSQL
//
// The process that is to take our listening sockets over: started, and waited for until it accepts
// or has failed. Control thread only.
#pragma once

#include "proxy/command_line.hpp"
#include "proxy/shared_socket.hpp"
#include "proxy/unique_fd.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <string>
#include <vector>

#include <sys/types.h>

namespace rolegate::proxy
{

// Names among the descriptors that it finds (LISTEN_FDNAMES) which are no sockets of listeners.
inline constexpr const char* state_name = "rolegate-state"; // a file: see handed_over
inline constexpr const char* ready_name = "rolegate-ready"; // a pipe: a word when it accepts

class successor
{
public:
    // Starts it with these sockets, the state, stdin, stdout and stderr, and no other descriptor.
    // No worker may close a descriptor meanwhile (see standstill). Throws std::system_error.
    successor(
        boost::asio::io_context& control,
        const command_line& how,
        const std::vector<shared_socket>& sockets,
        const std::string& state
    );
    ~successor();
    successor(const successor&) = delete;
    successor& operator=(const successor&) = delete;

    // "" when it has said that it accepts. Else why not; then it is gone.
    [[nodiscard]] boost::asio::awaitable<std::string> accepts();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    // It must not take over any more.
    void kill() noexcept;

    // Afterwards it may have ended: nothing is left of it in the system's tables. Cheap.
    void reap() noexcept;

private:
    [[nodiscard]] boost::asio::awaitable<bool> says_ready();
    [[nodiscard]] boost::asio::awaitable<std::string> end();

    boost::asio::posix::stream_descriptor ready_;
    boost::asio::steady_timer timer_;
    pid_t pid_ = -1;
    int status_ = 0; // of its end
    bool ended_ = false;
    bool in_time_ = true;
};

} // namespace rolegate::proxy
