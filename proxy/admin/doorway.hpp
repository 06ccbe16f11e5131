// SPDX-License-Identifier: PostgreSQL
//
// Where the admin HTTP is reached: a port or a unix socket that listens, and TLS if it is wanted.
#pragma once

#include "config/settings.hpp"
#include "proxy/shared_socket.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <string>

namespace rolegate::proxy::admin
{

using any_socket = boost::asio::generic::stream_protocol::socket;
using any_acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;

// Listens from the beginning, until it is closed.
class doorway
{
public:
    // Takes what was inherited for this address; throws boost::system::system_error when somebody
    // else has it.
    doorway(boost::asio::io_context& control, const config::admin_settings& settings);
    ~doorway();
    doorway(const doorway&) = delete;
    doorway& operator=(const doorway&) = delete;

    [[nodiscard]] any_acceptor& acceptor() noexcept { return acceptor_; }

    // "127.0.0.1:7000", "unix:/run/rolegate/admin"
    [[nodiscard]] const std::string& bound() const noexcept { return bound_; }

    // For the next process; until close().
    [[nodiscard]] shared_socket shared();

    // Clients are served here: the file of a unix socket is ours to remove.
    void open_to_all() noexcept { removes_file_ = true; }

    // It is another process's again.
    void leave_to_others() noexcept { removes_file_ = false; }

    void close() noexcept;

private:
    any_acceptor open(boost::asio::io_context& control, const config::admin_settings& settings);
    any_acceptor
    open_unix(boost::asio::io_context& control, const config::admin_settings& settings);

    std::string path_; // of a unix socket that Rolegate has made
    std::string bound_;
    bool inherited_ = false;
    bool removes_file_ = false;
    any_acceptor acceptor_;
};

// nullptr: plain HTTP. Throws std::runtime_error, which names the file and the reason.
[[nodiscard]] std::shared_ptr<boost::asio::ssl::context>
make_tls(const std::optional<config::admin_tls>& settings);

// Who has connected, to tell guessers of passwords apart: the address without its port.
[[nodiscard]] std::string address_of(const any_socket& s);

} // namespace rolegate::proxy::admin
