// SPDX-License-Identifier: PostgreSQL
//
// One address of a listener: bound, and as a rule listening.
#pragma once

#include "config/listener_settings.hpp"
#include "proxy/event_loop.hpp"
#include "proxy/peer.hpp"
#include "proxy/shared_socket.hpp"
#include "proxy/unique_fd.hpp"

#include <boost/system/error_code.hpp>

#include <string>
#include <utility>

namespace rolegate::proxy
{

class listening_socket final : private event_loop::descriptor
{
public:
    using error_code = boost::system::error_code;

    // Who is told of clients that wait, as long as some do.
    class owner
    {
    public:
        virtual void on_client(listening_socket& s) = 0;

    protected:
        ~owner() = default;
    };

    // Binds and listens, or takes what was inherited for this address and leaves it as it is until
    // listen_again(); throws boost::system::system_error.
    listening_socket(
        event_loop& loop,
        owner& told,
        const config::host_port& bind,
        const config::listener_settings& settings // what is accepted inherits its options
    );
    ~listening_socket();
    listening_socket(const listening_socket&) = delete;
    listening_socket& operator=(const listening_socket&) = delete;

    // What the kernel says, e.g. "0.0.0.0:5432"; of a unix socket its path behind "unix:".
    [[nodiscard]] const std::string& bound() const noexcept { return bound_; }
    [[nodiscard]] bool is_unix() const noexcept { return unix_; }

    // `name`: its listener's. Until it is closed.
    [[nodiscard]] shared_socket shared_as(const std::string& name) const
    {
        return {name, fd_.get(), path_, inherited_};
    }

    // --- on the loop's thread ---

    // What is accepted from now on inherits the options of these.
    void use(const config::listener_settings& settings) noexcept;

    // The owner is told of clients, or is not any more. False: the kernel has no room for it now.
    [[nodiscard]] bool watch_clients() noexcept;
    void ignore_clients() noexcept;

    // One client and where it comes from, or why there is none.
    [[nodiscard]] std::pair<unique_fd, error_code> accept(peer& from) noexcept;

    // Linux: a listening socket that is shut down stays bound and refuses connects until it listens
    // again, here or in any process that has it. Nobody else can take the port while the address is
    // not to be reused; it must be again before it listens, because of the sessions that go on.
    void refuse_connects() noexcept;
    [[nodiscard]] error_code listen_again() noexcept;

    void close() noexcept;

    // The same for one that nobody is to find any more: whoever else keeps it, the service manager
    // say, keeps one that refuses connects. Its address may be bound again.
    void close_for_good() noexcept;

    // The same for one that another process has as well: what it needs stays.
    void leave_to_others() noexcept;

private:
    // Before the socket is closed: afterwards a file of this name may be somebody else's. Not while
    // the process before still needs it.
    void remove_file() noexcept;
    void on_ready(std::uint32_t events) override;
    void reuse_address(bool on) noexcept;
    void bind_unix(const config::host_port& bind);
    void bind_tcp(const config::host_port& bind, const config::listener_settings& settings);

    event_loop& loop_;
    owner& told_;
    unique_fd fd_;
    std::string path_; // of a unix socket whose file is ours
    std::string bound_;
    bool unix_ = false;
    bool inherited_ = false;
    bool removes_file_ = false;
};

// The file of a unix socket that a process which was killed has left behind. One that somebody
// listens on is not touched, even when its owner is too busy to accept. Throws
// boost::system::system_error.
void remove_dead_socket(const std::string& path);

// As the log and errors call an address that is bound.
[[nodiscard]] std::string text_of(const config::host_port& bind);

} // namespace rolegate::proxy
