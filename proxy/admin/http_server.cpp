// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/http_server.hpp"

#include "proxy/admin/json.hpp"
#include "proxy/inherited_sockets.hpp"
#include "proxy/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace rolegate::proxy::admin
{

namespace
{

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using protocol = asio::generic::stream_protocol;
using any_stream = beast::basic_stream<protocol>;
using boost::system::error_code;
using namespace std::chrono_literals;

constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

// After a failed accept (EMFILE: descriptors are used up) the next attempt would fail as fast.
constexpr auto accept_pause = 100ms;

// How long bytes of a refused request are thrown away, so that the answer to it arrives: closing
// a socket with unread bytes resets the connection.
constexpr auto linger = 1s;
constexpr std::size_t linger_chunk = 4096;

// An answer that is not taken for so long may be given up for others.
constexpr auto slow_reader = 1s;

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
    if (!from.authenticate.empty())
        out.set(http::field::www_authenticate, from.authenticate);
    out.keep_alive(x.keep_alive);
    out.content_length(from.body.size());
}

template <class Stream>
asio::awaitable<error_code> send(Stream& stream, response& from, const exchange& x)
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

asio::awaitable<void> close_politely(any_stream& stream, beast::flat_buffer& buffer)
{
    error_code ignored;
    stream.socket().shutdown(any_socket::shutdown_send, ignored);
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

// What went wrong with one connection ends neither the others nor the proxy.
void tell_of(const std::exception_ptr& e)
{
    if (e)
        log::internal_error(e);
}

std::string_view view_of(beast::string_view s)
{
    return {s.data(), s.size()};
}

} // namespace

struct http_server::connection
{
    enum class stage
    {
        waiting, // for a request, or for TLS
        working, // on the answer
        sending,
    };

    explicit connection(any_socket socket) : stream(std::move(socket)) {}

    void enter(stage next)
    {
        is = next;
        since = std::chrono::steady_clock::now();
    }

    [[nodiscard]] bool
    may_go(std::chrono::steady_clock::time_point now, const http_limits& limits) const
    {
        switch (is)
        {
        case stage::waiting:
            return true;
        case stage::working:
            return now - since > limits.exchange;
        case stage::sending:
            return now - since > slow_reader;
        }
        return false;
    }

    // Its frame lives on until what it waits for has come, and ends then.
    void drop()
    {
        dropped = true;
        error_code ignored;
        stream.socket().close(ignored);
    }

    any_stream stream;
    stage is = stage::waiting;
    bool dropped = false;
    std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
};

http_server::http_server(
    asio::io_context& control,
    const config::admin_settings& settings,
    http_sources from,
    const http_limits& limits
)
    : control_(control), door_(control, settings), limits_(limits), tls_(make_tls(settings.tls)),
      answers_(control, settings, std::move(from), limits.passwords)
{
}

void http_server::start()
{
    door_.open_to_all();
    asio::co_spawn(control_, accept_loop(), tell_of);
}

void http_server::use(const config::admin_settings& settings)
{
    tls_ = make_tls(settings.tls);
    answers_.use(settings);
}

void http_server::stop()
{
    stopped_ = true;
    door_.close();
    for (auto* c : connections_)
        if (c->is == connection::stage::waiting)
            c->drop();
}

void http_server::leave_to_others()
{
    door_.leave_to_others();
    stop();
}

// --- connections -------------------------------------------------------------------------------

asio::awaitable<void> http_server::accept_loop()
{
    while (!stopped_)
    {
        bool good = false;
        try
        {
            good = co_await accept_one();
        }
        catch (...)
        {
            log::internal_error(std::current_exception());
        }
        if (good || stopped_)
            continue;
        asio::steady_timer pause(control_, accept_pause);
        co_await pause.async_wait(nothrow);
    }
}

asio::awaitable<bool> http_server::accept_one()
{
    any_socket socket(control_);
    const auto [ec] = co_await door_.acceptor().async_accept(socket, nothrow);
    if (ec)
        co_return false;
    if (!stopped_ && make_room())
        asio::co_spawn(control_, serve(std::move(socket)), tell_of);
    co_return true;
}

// Whoever has kept us waiting for longest goes, so that many who say nothing keep nobody out; so
// does whoever has waited for us for so long that he has hardly stayed. False: all are being
// answered.
bool http_server::make_room()
{
    if (connections_.size() < limits_.connections)
        return true;
    const auto now = std::chrono::steady_clock::now();
    connection* idlest = nullptr;
    for (auto* c : connections_)
    {
        if (c->may_go(now, limits_) && (!idlest || c->since < idlest->since))
            idlest = c;
    }
    if (!idlest)
        return false;
    connections_.remove(idlest);
    idlest->drop();
    return true;
}

// Listed without a guard: frames may be destroyed with the io_context, after the server.
asio::awaitable<void> http_server::serve(any_socket socket)
{
    connection c(std::move(socket));
    connections_.push_back(&c);
    std::exception_ptr failed;
    try
    {
        co_await meet(c);
    }
    catch (...)
    {
        failed = std::current_exception();
    }
    connections_.remove(&c);
    if (failed)
        std::rethrow_exception(failed);
}

asio::awaitable<void> http_server::meet(connection& c)
{
    const auto tls = tls_;
    if (!tls)
    {
        co_await converse(c.stream, c, false);
        co_return;
    }
    asio::ssl::stream<any_stream&> stream(c.stream, *tls);
    c.stream.expires_after(limits_.exchange);
    const auto [ec] = co_await stream.async_handshake(asio::ssl::stream_base::server, nothrow);
    if (ec)
        co_return;
    co_await converse(stream, c, true);
}

template <class Stream>
asio::awaitable<void> http_server::converse(Stream& stream, connection& c, bool tls)
{
    beast::flat_buffer buffer;
    exchange x;
    x.keep_alive = true;
    const auto from = address_of(c.stream.socket());
    while (x.keep_alive && !stopped_) // it may stop while we send
    {
        http::request_parser<http::string_body> parser;
        parser.header_limit(limits_.header_bytes);
        parser.body_limit(limits_.body_bytes);
        c.stream.expires_after(limits_.exchange);
        c.enter(connection::stage::waiting);
        const auto [read_error, n] = co_await http::async_read(stream, buffer, parser, nothrow);
        c.enter(connection::stage::working);
        if (read_error)
        {
            const auto status = status_of_error(read_error);
            if (status == 0)
                co_return;
            x = {};
            auto refusal = error_response(status);
            c.enter(connection::stage::sending);
            const auto write_error = co_await send(stream, refusal, x);
            if (!write_error)
                co_await close_politely(c.stream, buffer);
            co_return;
        }

        auto& got = parser.get();
        http_question r;
        r.method = view_of(got.method_string());
        r.target = view_of(got.target());
        r.host = view_of(got[http::field::host]);
        r.origin = view_of(got[http::field::origin]);
        r.authorization = view_of(got[http::field::authorization]);
        r.body = std::move(got.body());
        r.from = from;
        r.tls = tls;
        r.from_page = view_of(got["X-Requested-With"]) == "rolegate-page";
        x.version = got.version();
        x.head = got.method() == http::verb::head;
        const bool goes_on = got.keep_alive();
        auto page = co_await answers_.answer(std::move(r));
        if (c.dropped)
            co_return;
        x.keep_alive = goes_on && !stopped_;
        c.stream.expires_after(limits_.exchange);
        c.enter(connection::stage::sending);
        const auto write_error = co_await send(stream, page, x);
        if (write_error)
            co_return;
    }
    if constexpr (!std::is_same_v<Stream, any_stream>)
    {
        c.stream.expires_after(linger);
        co_await stream.async_shutdown(nothrow);
    }
    co_await close_politely(c.stream, buffer);
}

} // namespace rolegate::proxy::admin
