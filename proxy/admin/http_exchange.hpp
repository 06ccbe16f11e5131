// SPDX-License-Identifier: PostgreSQL
//
// One request and its answer, in HTTP's syntax, over TCP, a unix socket or TLS.
#pragma once

#include "proxy/admin/routes.hpp"
#include "proxy/completion.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <chrono>
#include <utility>

namespace rolegate::proxy::admin
{

using any_stream = boost::beast::basic_stream<boost::asio::generic::stream_protocol>;
using request_parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

// How long bytes of a refused request are thrown away, so that the answer to it arrives: closing
// a socket with unread bytes resets the connection.
inline constexpr std::chrono::seconds linger{1};

// How an answer is sent.
struct exchange
{
    unsigned version = 11;
    bool head = false; // the answer to HEAD has the length, but not the body
    bool keep_alive = false;
};

// What became of reading a request, as a status. Others: what it deserves. 0: an end without an
// answer.
inline constexpr int whole_request = 200;

// What a request that could not be read deserves.
[[nodiscard]] int status_of_error(boost::system::error_code ec);

// By its header, whose body may not have come: 100, it waits to be told to go on (RFC
// 9110, 10.1.1); 417, it expects what we do not know; 0, nothing.
[[nodiscard]] int status_of_expectation(const request_parser& parser, bool body_has_begun);

[[nodiscard]] response error_response(int status);

// The headers that do not depend on the body.
void fill(boost::beast::http::fields& out, const response& from);

template <class Stream>
boost::asio::awaitable<int>
read_request(Stream& stream, boost::beast::flat_buffer& buffer, request_parser& parser)
{
    namespace http = boost::beast::http;
    const auto [header_error, n] =
        co_await http::async_read_header(stream, buffer, parser, nothrow);
    if (header_error)
        co_return status_of_error(header_error);
    const int expects = status_of_expectation(parser, buffer.size() > 0);
    if (expects == 417)
        co_return expects;
    if (expects == 100)
    {
        const http::response<http::empty_body> go_on(http::status::continue_, 11);
        const auto [ec, sent] = co_await http::async_write(stream, go_on, nothrow);
        if (ec)
            co_return 0;
    }
    const auto [body_error, m] = co_await http::async_read(stream, buffer, parser, nothrow);
    co_return body_error ? status_of_error(body_error) : whole_request;
}

template <class Body>
boost::beast::http::response<Body> message_of(const response& from, const exchange& x)
{
    boost::beast::http::response<Body> out;
    out.version(x.version);
    out.result(static_cast<unsigned>(from.status));
    fill(out, from);
    out.keep_alive(x.keep_alive);
    out.content_length(from.body.size());
    return out;
}

template <class Stream>
boost::asio::awaitable<boost::system::error_code>
send(Stream& stream, response& from, const exchange& x)
{
    namespace http = boost::beast::http;
    if (x.head)
    {
        const auto out = message_of<http::empty_body>(from, x);
        const auto [ec, n] = co_await http::async_write(stream, out, nothrow);
        co_return ec;
    }
    auto out = message_of<http::string_body>(from, x);
    out.body() = std::move(from.body);
    const auto [ec, n] = co_await http::async_write(stream, out, nothrow);
    co_return ec;
}

// The answer arrives though the client may still be sending.
[[nodiscard]] boost::asio::awaitable<void>
close_politely(any_stream& stream, boost::beast::flat_buffer& buffer);

} // namespace rolegate::proxy::admin
