// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/http_server.hpp"

#include "proxy/admin/http_exchange.hpp"
#include "proxy/inherited_sockets.hpp"
#include "proxy/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

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
using boost::system::error_code;
using namespace std::chrono_literals;

// After a failed accept (EMFILE: descriptors are used up) the next attempt would fail as fast.
constexpr auto accept_pause = 100ms;

// An answer that is not taken for so long may be given up for others.
constexpr auto slow_reader = 1s;

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
        leaving, // all has been said, and what it still sends is thrown away
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
        case stage::leaving:
            return true;
        case stage::working:
            return now - since > limits.exchange;
        case stage::sending:
            return now - since > slow_reader;
        }
        return false;
    }

    // Nothing is lost with one that leaves.
    [[nodiscard]] bool goes_before(const connection& other) const
    {
        const bool leaves = is == stage::leaving;
        const bool other_leaves = other.is == stage::leaving;
        return leaves != other_leaves ? leaves : since < other.since;
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

// Whoever leaves goes first, then whoever has kept us waiting for longest, so that many who say
// nothing, or nonsense, keep nobody out; so does whoever has waited for us for so long that he has
// hardly stayed. False: all are being answered.
bool http_server::make_room()
{
    if (connections_.size() < limits_.connections)
        return true;
    const auto now = std::chrono::steady_clock::now();
    connection* idlest = nullptr;
    for (auto* c : connections_)
    {
        if (c->may_go(now, limits_) && (!idlest || c->goes_before(*idlest)))
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
        request_parser parser;
        parser.header_limit(limits_.header_bytes);
        parser.body_limit(limits_.body_bytes);
        c.stream.expires_after(limits_.exchange);
        c.enter(connection::stage::waiting);
        const int deserved = co_await read_request(stream, buffer, parser);
        c.enter(connection::stage::working);
        if (deserved == 0)
            co_return;
        if (deserved != whole_request)
        {
            x = {};
            auto refusal = error_response(deserved);
            c.enter(connection::stage::sending);
            const auto write_error = co_await send(stream, refusal, x);
            c.enter(connection::stage::leaving);
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
        // In a full house a place is for one answer: who asks on and on keeps nobody out.
        x.keep_alive = goes_on && !stopped_ && connections_.size() < limits_.connections;
        c.stream.expires_after(limits_.exchange);
        c.enter(connection::stage::sending);
        const auto write_error = co_await send(stream, page, x);
        if (write_error)
            co_return;
    }
    c.enter(connection::stage::leaving);
    if constexpr (!std::is_same_v<Stream, any_stream>)
    {
        c.stream.expires_after(linger);
        co_await stream.async_shutdown(nothrow);
    }
    co_await close_politely(c.stream, buffer);
}

} // namespace rolegate::proxy::admin
