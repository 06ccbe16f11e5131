// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/client.hpp"

#include "health/http_connection.hpp"
#include "proxy/admin/basic_auth.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>

#include <memory>
#include <string_view>
#include <vector>

namespace rolegate::proxy::cli
{

namespace
{

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::string_view unix_scheme = "unix:";
constexpr std::size_t max_answer = 64 * 1024 * 1024; // some thousand members

struct place
{
    std::string path; // of a unix socket; "" = none
    std::string host;
    std::string port;
    std::string host_header;
    std::string authorization;
    bool tls = false;
    std::string error;
};

std::string authorization_of(const std::string& user, const std::string& password)
{
    return user.empty() ? "" : admin::basic_header({user, password});
}

// "/PATH", "USER@/PATH", "USER:PASSWORD@/PATH"
place parse_unix(const std::string& text, const std::string& password)
{
    place p;
    const auto slash = text.find('/');
    const auto who = text.substr(0, slash);
    if (slash == std::string::npos || (!who.empty() && !who.ends_with('@')))
    {
        p.error = "not a unix socket like unix:/PATH";
        return p;
    }
    p.path = text.substr(slash);
    p.host_header = "localhost";
    const auto colon = who.find(':');
    const bool has_password = colon != std::string::npos;
    const auto user = who.substr(0, has_password ? colon : who.find('@'));
    p.authorization = authorization_of(
        user, has_password ? who.substr(colon + 1, who.size() - colon - 2) : password
    );
    return p;
}

place parse_place(const admin_address& at)
{
    if (at.url.starts_with(unix_scheme))
        return parse_unix(at.url.substr(unix_scheme.size()), at.password);
    const auto text = at.url.find("://") == std::string::npos ? "http://" + at.url : at.url;
    const auto url = boost::urls::parse_uri(text);
    place p;
    if (!url || url->host().empty() || (url->path() != "" && url->path() != "/"))
        p.error = "not a URL like http://HOST:PORT";
    else if (url->scheme() != "http" && url->scheme() != "https")
        p.error = "only http://, https:// and unix: are supported";
    else
    {
        p.tls = url->scheme() == "https";
        p.host = url->host_address();
        p.port = url->has_port() ? std::string(url->port()) : p.tls ? "443" : "80";
        p.host_header = std::string(url->encoded_host_and_port());
        p.authorization =
            authorization_of(url->user(), url->has_password() ? url->password() : at.password);
    }
    return p;
}

// The first address that answers; each has the whole limit.
asio::awaitable<void> exchange(
    std::vector<tcp::endpoint> to,
    health::http_target target,
    health::http_request request,
    std::chrono::milliseconds limit,
    http_answer& out
)
{
    const auto attempts = target.address.empty() ? to.size() : 1;
    for (std::size_t i = 0; i < attempts; ++i)
    {
        if (!to.empty())
        {
            target.address = to[i].address().to_string();
            target.port = to[i].port();
        }
        health::http_connection connection(co_await asio::this_coro::executor);
        out.error = co_await connection.open(target, limit);
        if (!out.error.empty())
            continue;
        auto answer = co_await connection.ask(request, limit);
        out = {answer.status, std::move(answer.body), std::move(answer.error)};
        co_return;
    }
}

http_answer failed(std::string why)
{
    return {0, "", std::move(why)};
}

http_answer
send(const admin_address& at, health::http_request request, std::chrono::milliseconds limit)
{
    const auto p = parse_place(at);
    if (!p.error.empty())
        return failed(p.error);
    request.last = true;
    request.largest_answer = max_answer;
    request.authorization = p.authorization;

    asio::io_context ctx(1);
    health::http_target target;
    target.host = p.tls ? p.host : p.host_header;
    target.address = p.path;
    target.verify = !at.insecure;
    std::vector<tcp::endpoint> to;
    if (p.path.empty())
    {
        tcp::resolver resolver(ctx);
        error_code ec;
        for (const auto& found : resolver.resolve(p.host, p.port, ec))
            to.push_back(found.endpoint());
        if (ec)
            return failed(ec.message());
    }
    std::unique_ptr<asio::ssl::context> tls;
    if (p.tls)
        tls = health::make_tls_context({at.ca, "", "", !at.insecure}, "--");
    target.tls = tls.get();

    http_answer out;
    asio::co_spawn(
        ctx,
        exchange(std::move(to), std::move(target), std::move(request), limit, out),
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

std::string shown(const admin_address& at)
{
    const auto user = at.url.find('@');
    if (user == std::string::npos)
        return at.url;
    const auto scheme = at.url.find("://");
    auto from = scheme == std::string::npos ? 0 : scheme + 3;
    if (at.url.starts_with(unix_scheme))
        from = unix_scheme.size();
    return at.url.substr(0, from) + at.url.substr(user + 1);
}

http_answer
http_get(const admin_address& at, const std::string& path, std::chrono::milliseconds limit)
{
    health::http_request request;
    request.path = path;
    return send(at, std::move(request), limit);
}

http_answer http_post(
    const admin_address& at,
    const std::string& path,
    std::chrono::milliseconds limit,
    const std::string& body
)
{
    health::http_request request;
    request.path = path;
    request.body = body;
    return send(at, std::move(request), limit);
}

std::string as_path_part(const std::string& name)
{
    return boost::urls::encode(name, boost::urls::unreserved_chars);
}

} // namespace rolegate::proxy::cli
