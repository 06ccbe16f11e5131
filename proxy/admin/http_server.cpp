// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/http_server.hpp"

#include "proxy/admin/json.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <sstream>

namespace rolegate::proxy::admin
{

namespace
{

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

// After a failed accept (EMFILE: descriptors are used up) the next attempt would fail as fast.
constexpr auto accept_pause = 100ms;

// How long bytes of a refused request are thrown away, so that the answer to it arrives: closing
// a socket with unread bytes resets the connection.
constexpr auto linger = 1s;
constexpr std::size_t linger_chunk = 4096;

tcp::endpoint endpoint_of(asio::io_context& control, const config::host_port& bind)
{
    if (bind.host == "*")
        return {tcp::v4(), bind.port};
    error_code ec;
    const auto address = asio::ip::make_address(bind.host, ec);
    if (!ec)
        return {address, bind.port};
    // A name such as "localhost", at start-up: it may block.
    tcp::resolver resolver(control);
    return resolver.resolve(bind.host, std::to_string(bind.port), tcp::resolver::passive)
        .begin()
        ->endpoint();
}

// What a request that could not be read deserves; 0 = close without an answer.
int status_of_error(error_code ec)
{
    if (ec == http::error::header_limit)
        return 431;
    if (ec == http::error::body_limit)
        return 413;
    if (ec == http::error::end_of_stream || ec == http::error::partial_message)
        return 0;
    // Everything else of this category is a message that is no HTTP.
    return ec.category() == make_error_code(http::error::bad_method).category() ? 400 : 0;
}

response error_response(int status)
{
    const auto what = http::obsolete_reason(static_cast<http::status>(status));
    return {status, "application/json", error_json(std::string_view(what.data(), what.size()))};
}

struct exchange
{
    unsigned version = 11;
    bool head = false; // the answer to HEAD has the length, but not the body
    bool keep_alive = false;
};

template <class Body> void fill(http::response<Body>& out, const response& from, const exchange& x)
{
    out.version(x.version);
    out.result(static_cast<unsigned>(from.status));
    out.set(http::field::server, "rolegate");
    out.set(http::field::content_type, from.content_type);
    out.set(http::field::cache_control, "no-store");
    out.set("X-Content-Type-Options", "nosniff");
    if (!from.policy.empty())
        out.set("Content-Security-Policy", from.policy);
    if (from.status == 405)
        out.set(http::field::allow, from.allow);
    out.keep_alive(x.keep_alive);
    out.content_length(from.body.size());
}

asio::awaitable<error_code> send(beast::tcp_stream& stream, response& from, const exchange& x)
{
    if (x.head)
    {
        http::response<http::empty_body> out;
        fill(out, from, x);
        const auto [ec, n] = co_await http::async_write(stream, out, nothrow);
        co_return ec;
    }
    http::response<http::string_body> out;
    fill(out, from, x);
    out.body() = std::move(from.body);
    const auto [ec, n] = co_await http::async_write(stream, out, nothrow);
    co_return ec;
}

asio::awaitable<void> close_politely(beast::tcp_stream& stream, beast::flat_buffer& buffer)
{
    error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream.expires_after(linger);
    for (;;)
    {
        buffer.clear();
        const auto space = buffer.prepare(linger_chunk);
        const auto [ec, n] = co_await stream.async_read_some(space, nothrow);
        if (ec)
            co_return;
    }
}

} // namespace

http_server::http_server(
    asio::io_context& control,
    const config::host_port& bind,
    view_source view,
    operator_function operate,
    const http_limits& limits
)
    : control_(control), acceptor_(control), bind_(bind), view_(std::move(view)),
      operate_(std::move(operate)), limits_(limits)
{
    const auto at = endpoint_of(control, bind);
    acceptor_.open(at.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    acceptor_.bind(at);
    acceptor_.listen();
}

void http_server::start()
{
    asio::co_spawn(
        control_,
        accept_loop(),
        [](std::exception_ptr e)
        {
            if (e)
                std::rethrow_exception(e);
        }
    );
}

void http_server::stop()
{
    stopped_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    for (auto* socket : waiting_)
        socket->close(ignored);
}

std::string http_server::bound() const
{
    std::ostringstream out;
    out << acceptor_.local_endpoint();
    return out.str();
}

asio::awaitable<void> http_server::accept_loop()
{
    while (!stopped_)
    {
        tcp::socket socket(control_);
        const auto [ec] = co_await acceptor_.async_accept(socket, nothrow);
        if (stopped_)
            co_return;
        if (ec)
        {
            asio::steady_timer pause(control_, accept_pause);
            co_await pause.async_wait(nothrow);
            continue;
        }
        if (connections_ >= limits_.connections)
            continue;
        ++connections_;
        asio::co_spawn(
            control_,
            serve(std::move(socket)),
            [this](std::exception_ptr e)
            {
                --connections_;
                if (e)
                    std::rethrow_exception(e);
            }
        );
    }
}

asio::awaitable<void> http_server::serve(tcp::socket socket)
{
    beast::tcp_stream stream(std::move(socket));
    beast::flat_buffer buffer;
    exchange x;
    x.keep_alive = true;
    while (x.keep_alive && !stopped_) // it may stop while we send
    {
        http::request_parser<http::string_body> parser;
        parser.header_limit(limits_.header_bytes);
        parser.body_limit(limits_.body_bytes);
        stream.expires_after(limits_.exchange);
        // Not by a guard: frames may be destroyed with the io_context, after the server.
        waiting_.insert(&stream.socket());
        const auto [read_error, n] = co_await http::async_read(stream, buffer, parser, nothrow);
        waiting_.erase(&stream.socket());
        if (read_error)
        {
            const auto status = status_of_error(read_error);
            if (status == 0)
                co_return;
            x = {};
            auto refusal = error_response(status);
            const auto write_error = co_await send(stream, refusal, x);
            if (!write_error)
                co_await close_politely(stream, buffer);
            co_return;
        }

        const auto& request = parser.get();
        const auto method = request.method_string();
        const auto target = request.target();
        const auto origin = request[http::field::origin];
        x.version = request.version();
        x.head = request.method() == http::verb::head;
        auto page = co_await answer_for(
            std::string_view(method.data(), method.size()),
            std::string_view(target.data(), target.size()),
            std::string_view(origin.data(), origin.size())
        );
        x.keep_alive = request.keep_alive() && !stopped_;
        const auto write_error = co_await send(stream, page, x);
        if (write_error)
            co_return;
    }
    co_await close_politely(stream, buffer);
}

// A fault of ours while a page is made must not end the proxy.
asio::awaitable<response>
http_server::answer_for(std::string_view method, std::string_view target, std::string_view origin)
{
    try
    {
        // Whether the process lives must not depend on workers that are busy.
        if (target == "/livez")
            co_return answer(method, target, {});
        if (const auto asked = find_operation(target))
        {
            auto refused = refuse_operation(method, origin, bind_);
            co_return refused ? *std::move(refused) : operate_(*asked);
        }
        const auto view = co_await view_();
        co_return answer(method, target, view);
    }
    catch (const std::exception& e)
    {
        const std::string what = std::string("internal error: ") + e.what();
        co_return response{500, "application/json", error_json(what)};
    }
}

} // namespace rolegate::proxy::admin
