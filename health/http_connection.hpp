// SPDX-License-Identifier: PostgreSQL
//
// A client's side of one HTTP connection, with or without TLS: single answers, or one answer
// without an end that is read piece by piece. One request at a time; one thread.
#pragma once

#include "config/settings.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace rolegate::health
{

struct http_target
{
    std::string address; // numeric, what to connect to; or the path of a unix socket
    std::uint16_t port = 0;
    std::string host;                         // for the Host header, SNI and the certificate's name
    boost::asio::ssl::context* tls = nullptr; // nullptr: plain HTTP
    bool verify = true;
};

struct http_request
{
    std::string path;
    std::string method;        // "" = GET, or POST with a body
    std::string body;          // as JSON
    std::string authorization; // "" = no such header
    bool last = false;         // the server may close behind its answer
    // A longer body is an error. No answer of Patroni's or of etcd's comes near: a member takes
    // about 300 bytes of /cluster and 500 of the keys.
    std::size_t largest_answer = 1024 * 1024;
};

// Either an answer (status > 0) or the reason why there is none. `status` alone proves nothing.
struct http_answer
{
    int status = 0;
    std::string body;
    std::map<std::string, std::string> headers; // those that begin with "X-", as spelled
    std::string error;
};

class http_connection
{
public:
    explicit http_connection(const boost::asio::any_io_executor& executor);
    ~http_connection();
    http_connection(const http_connection&) = delete;
    http_connection& operator=(const http_connection&) = delete;

    // Connects, and shakes hands where TLS is wanted. "" or why not.
    [[nodiscard]] boost::asio::awaitable<std::string>
    open(http_target to, std::chrono::milliseconds timeout);

    // A peer that does not acknowledge for this long is gone: for answers without an end.
    void expect_life(std::chrono::milliseconds silence);

    // Wakes whoever waits for an answer, with an error. Harmless when closed.
    void close() noexcept;

    [[nodiscard]] boost::asio::awaitable<http_answer>
    ask(http_request request, std::chrono::milliseconds timeout);

    // The head of an answer without an end; its pieces follow by more(), which waits for ever.
    [[nodiscard]] boost::asio::awaitable<http_answer>
    begin(http_request request, std::chrono::milliseconds timeout);
    [[nodiscard]] boost::asio::awaitable<http_answer> more();

private:
    struct streams;
    std::unique_ptr<streams> streams_;
};

// Client side TLS as the operator wants it; `what` begins the message ("patroni.tls"). Throws
// std::runtime_error, with its name, when a file cannot be used.
[[nodiscard]] std::unique_ptr<boost::asio::ssl::context>
make_tls_context(const config::client_tls& settings, const std::string& what);

} // namespace rolegate::health
