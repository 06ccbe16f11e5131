// SPDX-License-Identifier: PostgreSQL
//
// The process that is to take our listening sockets over: started, waited for until it accepts or
// has failed, and listened to from then on. Control thread only.
#pragma once

#include "proxy/command_line.hpp"
#include "proxy/shared_socket.hpp"
#include "proxy/unique_fd.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <string>
#include <vector>

#include <sys/types.h>

namespace rolegate::proxy
{

// Names among the descriptors that it finds (LISTEN_FDNAMES) which are no sockets of listeners.
inline constexpr const char* state_name = "rolegate-state"; // a file: see handed_over
inline constexpr const char* word_name = "rolegate-word";   // what it writes there we read

// The first line it writes; those after that are orders of operators.
inline constexpr const char* accepting = "accepting";

// It cannot accept, and ends: behind it stands why, for people.
inline constexpr const char* failing = "failing ";

// Among those: it has left everything to a successor of its own.
inline constexpr const char* handed_on = "handed_on";

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

    // What operators have told it since, for our sessions as well; "" when it has ended.
    [[nodiscard]] boost::asio::awaitable<std::string> order() { return line(); }

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    // It must not take over any more.
    void kill() noexcept;

    // Afterwards it may have ended: nothing is left of it in the system's tables. Cheap. True: it
    // has just done so.
    bool reap() noexcept;

    // How it ended, with what it has said of that, and whether by itself and with exit code 0.
    [[nodiscard]] std::string last_words() const;
    [[nodiscard]] bool ended_well() const noexcept { return ended_ && status_ == 0; }

private:
    [[nodiscard]] boost::asio::awaitable<std::string> line();
    [[nodiscard]] boost::asio::awaitable<std::string> end();

    boost::asio::local::stream_protocol::socket word_;
    boost::asio::steady_timer timer_;
    std::string read_;      // and not handed out yet
    std::string complaint_; // why it does not accept; "" = it has not said
    pid_t pid_ = -1;
    int status_ = 0; // of its end
    bool ended_ = false;
    bool in_time_ = true;
    bool accepted_ = false;
};

} // namespace rolegate::proxy
