// SPDX-License-Identifier: PostgreSQL
//
// One GET to a Patroni REST API: HTTP/1.0 answers without length, read to the end, then closed at
// once (an idle connection pins one of Patroni's few request threads). Control thread only.
#pragma once

#include "config/settings.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace rolegate::health::patroni
{

struct rest_target
{
    std::string address; // numeric, what to connect to
    std::uint16_t port = 0;
    std::string host;                         // for the Host header, SNI and the certificate's name
    boost::asio::ssl::context* tls = nullptr; // nullptr: plain HTTP
    bool verify = true;
};

// Either an answer (status > 0) or the reason why there is none. `status` alone proves nothing.
struct rest_answer
{
    int status = 0;
    std::string body;
    std::string error;
};

// A body larger than this is no answer of Patroni's. A member takes about 300 bytes of /cluster.
inline constexpr std::size_t max_body = 1024 * 1024;

// `timeout` bounds the whole request, from connect to the last byte.
[[nodiscard]] boost::asio::awaitable<rest_answer>
rest_get(rest_target to, std::string path, std::chrono::milliseconds timeout);

// Client side TLS as the operator wants it. Throws std::runtime_error, with its name, when a file cannot
// be used.
[[nodiscard]] std::unique_ptr<boost::asio::ssl::context>
make_tls_context(const config::client_tls& settings);

} // namespace rolegate::health::patroni
