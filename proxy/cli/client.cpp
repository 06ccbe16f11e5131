// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/url/parse.hpp>

namespace rolegate::proxy::cli
{

namespace
{

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);
constexpr std::uint64_t max_answer = 64 * 1024 * 1024; // some thousand members

struct place
{
    std::string host;
    std::string port;
    std::string host_header;
    std::string error;
};

place parse_place(const std::string& base)
{
    const auto text = base.find("://") == std::string::npos ? "http://" + base : base;
    const auto url = boost::urls::parse_uri(text);
    place p;
    if (!url || url->host().empty() || (url->path() != "" && url->path() != "/"))
        p.error = "not a URL like http://HOST:PORT";
    else if (url->scheme() != "http")
        p.error = "only http:// is supported";
    else
    {
        p.host = url->host_address();
        p.port = url->has_port() ? std::string(url->port()) : "80";
        p.host_header = std::string(url->encoded_host_and_port());
    }
    return p;
}

std::string text_of(error_code ec)
{
    return ec == beast::error::timeout ? "no answer in time" : ec.message();
}

asio::awaitable<void> exchange(
    beast::tcp_stream& stream,
    tcp::resolver::results_type to,
    http::request<http::empty_body> request,
    http_answer& out
)
{
    const auto [connect_error, at] = co_await stream.async_connect(to, nothrow);
    if (connect_error)
    {
        out.error = text_of(connect_error);
        co_return;
    }
    const auto [write_error, sent] = co_await http::async_write(stream, request, nothrow);
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(max_answer);
    // Also after a failed write: a server at its limit may have answered before it closed.
    const auto [read_error, n] = co_await http::async_read(stream, buffer, parser, nothrow);
    if (read_error)
    {
        out.error = text_of(write_error ? write_error : read_error);
        co_return;
    }
    out.status = parser.get().result_int();
    out.body = std::move(parser.get().body());
}

} // namespace

http_answer
http_get(const std::string& base, const std::string& path, std::chrono::milliseconds limit)
{
    http_answer out;
    const auto p = parse_place(base);
    if (!p.error.empty())
    {
        out.error = p.error;
        return out;
    }

    asio::io_context ctx(1);
    tcp::resolver resolver(ctx);
    error_code ec;
    const auto to = resolver.resolve(p.host, p.port, ec);
    if (ec)
    {
        out.error = ec.message();
        return out;
    }

    http::request<http::empty_body> request(http::verb::get, path, 11);
    request.set(http::field::host, p.host_header);
    request.set(http::field::user_agent, "rolegate");
    request.keep_alive(false);

    beast::tcp_stream stream(ctx);
    stream.expires_after(limit);
    asio::co_spawn(
        ctx,
        exchange(stream, to, std::move(request), out),
        [](std::exception_ptr e)
        {
            if (e)
                std::rethrow_exception(e);
        }
    );
    ctx.run();
    return out;
}

} // namespace rolegate::proxy::cli
