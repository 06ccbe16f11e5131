// SPDX-License-Identifier: PostgreSQL
//
// HTTP for operators, on the control thread. Slow, hostile and many clients are bounded: the
// number of connections, the size of a request, the time for a whole exchange.
#pragma once

#include "config/settings.hpp"
#include "proxy/admin/operation.hpp"
#include "proxy/shared_socket.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <set>
#include <string>

namespace rolegate::proxy::admin
{

struct http_limits
{
    std::size_t connections = 64; // one more is closed at once
    std::uint32_t header_bytes = 8 * 1024;
    std::uint64_t body_bytes = 64 * 1024;
    std::chrono::milliseconds exchange{10000}; // waiting for a request included
};

// Must outlive the running of `control`: an answer may be under way after stop().
class http_server
{
public:
    // Gathers what the pages show; awaited once a request.
    using view_source = std::function<boost::asio::awaitable<process_view>()>;

    // Does it, for somebody who may.
    using operator_function = std::function<response(const operation&)>;

    // Binds at once, or takes what was inherited for this address; throws
    // boost::system::system_error when the address is taken.
    http_server(
        boost::asio::io_context& control,
        const config::host_port& bind,
        view_source view,
        operator_function operate,
        const http_limits& limits = {}
    );

    void start();

    // Closes the listening socket, which another process may have as well, and the connections that
    // wait for a request. Those with an answer under way end with it.
    void stop();

    // "127.0.0.1:7000"
    [[nodiscard]] std::string bound() const;
    [[nodiscard]] shared_socket shared(); // until stop()

private:
    boost::asio::awaitable<void> accept_loop();
    boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket);
    boost::asio::awaitable<response>
    answer_for(std::string_view method, std::string_view target, std::string_view origin);

    boost::asio::io_context& control_;
    boost::asio::ip::tcp::acceptor acceptor_;
    const config::host_port bind_;
    view_source view_;
    operator_function operate_;
    http_limits limits_;
    std::size_t connections_ = 0;
    std::set<boost::asio::ip::tcp::socket*> waiting_; // for a request
    bool inherited_ = false;
    bool stopped_ = false;
};

} // namespace rolegate::proxy::admin
