// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/client.hpp"

#include "health/http_connection.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/url/parse.hpp>

namespace rolegate::proxy::cli
{

namespace
{

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t max_answer = 64 * 1024 * 1024; // some thousand members

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

// The first address that answers; each has the whole limit.
asio::awaitable<void> exchange(
    tcp::resolver::results_type to,
    health::http_target target,
    health::http_request request,
    std::chrono::milliseconds limit,
    http_answer& out
)
{
    for (const auto& at : to)
    {
        target.address = at.endpoint().address().to_string();
        target.port = at.endpoint().port();
        health::http_connection connection(co_await asio::this_coro::executor);
        out.error = co_await connection.open(target, limit);
        if (!out.error.empty())
            continue;
        auto answer = co_await connection.ask(request, limit);
        out = {answer.status, std::move(answer.body), std::move(answer.error)};
        co_return;
    }
}

http_answer
send(const std::string& base, health::http_request request, std::chrono::milliseconds limit)
{
    request.last = true;
    request.largest_answer = max_answer;
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

    health::http_target target;
    target.host = p.host_header;
    asio::co_spawn(
        ctx,
        exchange(to, std::move(target), std::move(request), limit, out),
        [](std::exception_ptr e)
        {
            if (e)
                std::rethrow_exception(e);
        }
    );
    ctx.run();
    return out;
}

} // namespace

http_answer
http_get(const std::string& base, const std::string& path, std::chrono::milliseconds limit)
{
    health::http_request request;
    request.path = path;
    return send(base, std::move(request), limit);
}

http_answer
http_post(const std::string& base, const std::string& path, std::chrono::milliseconds limit)
{
    health::http_request request;
    request.path = path;
    request.body = "{}";
    return send(base, std::move(request), limit);
}

} // namespace rolegate::proxy::cli
