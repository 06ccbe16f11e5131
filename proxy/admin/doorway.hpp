// SPDX-License-Identifier: PostgreSQL
//
// Where the admin HTTP is reached: a port or a unix socket that listens, and TLS if it is wanted.
#pragma once

#include "config/settings.hpp"

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
    // Throws boost::system::system_error when the address is taken.
    doorway(boost::asio::io_context& control, const config::admin_settings& settings);
    ~doorway();
    doorway(const doorway&) = delete;
    doorway& operator=(const doorway&) = delete;

    [[nodiscard]] any_acceptor& acceptor() noexcept { return acceptor_; }

    // "127.0.0.1:7000", "unix:/run/rolegate/admin"
    [[nodiscard]] const std::string& bound() const noexcept { return bound_; }

    void close() noexcept;

private:
    any_acceptor open(boost::asio::io_context& control, const config::admin_settings& settings);

    std::string path_; // of a unix socket, until its file is removed
    std::string bound_;
    any_acceptor acceptor_;
};

// nullptr: plain HTTP. Throws std::runtime_error, which names the file and the reason.
[[nodiscard]] std::shared_ptr<boost::asio::ssl::context>
make_tls(const std::optional<config::admin_tls>& settings);

// Who has connected, to tell guessers of passwords apart: the address without its port.
[[nodiscard]] std::string address_of(const any_socket& s);

} // namespace rolegate::proxy::admin
