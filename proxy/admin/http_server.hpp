// SPDX-License-Identifier: PostgreSQL
//
// HTTP for operators, on the control thread. Slow, hostile and many clients are bounded: the
// number of connections, the size of a request, the time for a whole exchange, the work that it
// causes.
#pragma once

#include "config/settings.hpp"
#include "proxy/admin/answers.hpp"
#include "proxy/admin/doorway.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <string>

namespace rolegate::proxy::admin
{

struct http_limits
{
    // One more takes the place of whoever keeps us waiting longest; at so many each ends with its
    // answer.
    std::size_t connections = 64;
    std::uint32_t header_bytes = 8 * 1024;
    std::uint64_t body_bytes = 64 * 1024;
    std::chrono::milliseconds exchange{10000}; // waiting for a request included
    password_limits passwords{};
};

// Must outlive the running of `control`: an answer may be under way after stop().
class http_server
{
public:
    // Binds at once, or takes what was inherited for this address; throws
    // boost::system::system_error when the address is taken, and std::runtime_error when a file
    // cannot be used.
    http_server(
        boost::asio::io_context& control,
        const config::admin_settings& settings,
        http_sources from,
        const http_limits& limits = {}
    );

    void start();

    // Other users, rules and certificates for requests to come; `bind` and `mode` stay. Throws
    // std::runtime_error when a file cannot be used; then nothing has changed.
    void use(const config::admin_settings& settings);

    // Closes the listening socket, which another process may have as well, and the connections that
    // wait for a request. Those with an answer under way end with it.
    void stop();

    // The same, but of a unix socket the file stays, for the process that goes on with it.
    void leave_to_others();

    // "127.0.0.1:7000"
    [[nodiscard]] const std::string& bound() const noexcept { return door_.bound(); }
    [[nodiscard]] const login_counts& logins() const noexcept { return answers_.logins(); }
    [[nodiscard]] shared_socket shared() { return door_.shared(); } // until stop()

private:
    struct connection;

    boost::asio::awaitable<void> accept_loop();
    boost::asio::awaitable<bool> accept_one();
    bool make_room();
    boost::asio::awaitable<void> serve(any_socket socket);
    boost::asio::awaitable<void> meet(connection& c);
    template <class Stream>
    boost::asio::awaitable<void> converse(Stream& stream, connection& c, bool tls);

    boost::asio::io_context& control_;
    doorway door_;
    http_limits limits_;
    std::shared_ptr<boost::asio::ssl::context> tls_; // nullptr: plain HTTP
    answers answers_;
    std::list<connection*> connections_; // in the order of their coming
    bool stopped_ = false;
};

} // namespace rolegate::proxy::admin
