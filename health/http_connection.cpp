// SPDX-License-Identifier: PostgreSQL
#include "health/http_connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <array>
#include <netinet/tcp.h>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <sys/socket.h>
#include <tuple>
#include <utility>

namespace rolegate::health
{

namespace
{

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using any_protocol = asio::generic::stream_protocol;
using any_stream = beast::basic_stream<any_protocol>;
using milliseconds = std::chrono::milliseconds;

constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

std::string failed(const char* step, const error_code& ec)
{
    if (ec == beast::error::timeout)
        return std::string(step) + ": timed out";
    return std::string(step) + ": " + ec.message();
}

std::pair<any_protocol::endpoint, error_code> endpoint_of(const http_target& to)
{
    error_code ec;
    if (to.address.starts_with('/'))
        return {asio::local::stream_protocol::endpoint(to.address), ec};
    const auto address = asio::ip::make_address(to.address, ec);
    return {asio::ip::tcp::endpoint(address, to.port), ec};
}

http_answer no_answer(std::string why)
{
    http_answer a;
    a.error = std::move(why);
    return a;
}

// SNI is for names; an address in it is refused by some servers. The macro behind OpenSSL's
// SSL_set_tlsext_host_name casts in C's way.
void send_server_name(SSL* ssl, const std::string& host)
{
    error_code ec;
    if (asio::ip::make_address(host, ec); ec)
        SSL_ctrl(
            ssl,
            SSL_CTRL_SET_TLSEXT_HOSTNAME,
            TLSEXT_NAMETYPE_host_name,
            const_cast<char*>(host.c_str())
        );
}

using parser = http::response_parser<http::string_body>;

void take_head(http_answer& a, const parser& from)
{
    a.status = static_cast<int>(from.get().result_int());
    for (const auto& field : from.get().base())
        if (field.name_string().starts_with("X-"))
            a.headers.emplace(field.name_string(), field.value());
}

// Small enough to be written by hand: Beast's composed operations would be compiled for every kind
// of stream.
std::string text_of(const http_request& r, const std::string& host)
{
    std::string text = r.method;
    if (text.empty())
        text = r.body.empty() ? "GET" : "POST";
    text += " " + r.path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: rolegate\r\n";
    if (r.last)
        text += "Connection: close\r\n";
    if (!r.authorization.empty())
        text += "Authorization: " + r.authorization + "\r\n";
    if (!r.body.empty())
        text +=
            "Content-Type: application/json\r\nContent-Length: " + std::to_string(r.body.size()) +
            "\r\n";
    return text + "\r\n" + r.body;
}

} // namespace

struct http_connection::streams
{
    explicit streams(const asio::any_io_executor& ex) : executor(ex) {}

    [[nodiscard]] any_stream* lowest()
    {
        if (tls)
            return &tls->next_layer();
        return plain ? &*plain : nullptr;
    }

    asio::any_io_executor executor;
    std::string host;
    // Both under the deadline that was set last.
    asio::awaitable<error_code> write(std::string_view bytes);
    asio::awaitable<error_code> read(); // appends to `unread`

    asio::awaitable<std::string> parse_until(bool (*enough)(const parser&), parser& p);

    std::optional<any_stream> plain;
    std::optional<beast::ssl_stream<any_stream>> tls;
    std::string unread; // came behind the last answer
    std::optional<parser> endless;
    std::array<char, 16384> room{};
};

asio::awaitable<error_code> http_connection::streams::write(std::string_view bytes)
{
    const auto buffer = asio::buffer(bytes.data(), bytes.size());
    error_code ec;
    std::size_t n = 0;
    if (tls)
        std::tie(ec, n) = co_await asio::async_write(*tls, buffer, nothrow);
    else
        std::tie(ec, n) = co_await asio::async_write(*plain, buffer, nothrow);
    co_return ec;
}

asio::awaitable<error_code> http_connection::streams::read()
{
    error_code ec;
    std::size_t n = 0;
    if (tls)
        std::tie(ec, n) = co_await tls->async_read_some(asio::buffer(room), nothrow);
    else
        std::tie(ec, n) = co_await plain->async_read_some(asio::buffer(room), nothrow);
    unread.append(room.data(), n);
    co_return ec;
}

// Reads until there is enough. "" or what was wrong.
asio::awaitable<std::string>
http_connection::streams::parse_until(bool (*enough)(const parser&), parser& p)
{
    for (;;)
    {
        error_code ec;
        while (!unread.empty() && !enough(p))
        {
            const auto used = p.put(asio::buffer(unread), ec);
            unread.erase(0, used);
            if (ec == http::error::need_more)
                break;
            if (ec)
                co_return failed("answer", ec);
        }
        if (enough(p))
            co_return "";
        ec = co_await read();
        // Patroni before 2.1.5 ends TLS with a plain FIN; the body has ended all the same.
        const bool ended = ec == asio::error::eof || ec == asio::ssl::error::stream_truncated;
        if (!ended && ec)
            co_return failed("answer", ec);
        if (!ended)
            continue;
        if (!p.got_some())
            co_return "answer: closed without an answer";
        p.put_eof(ec);
        if (ec || !p.is_done())
            co_return "answer: the connection was closed in the middle of it";
    }
}

http_connection::http_connection(const asio::any_io_executor& executor)
    : streams_(std::make_unique<streams>(executor))
{
}

http_connection::~http_connection() = default;

asio::awaitable<std::string> http_connection::open(http_target to, milliseconds timeout)
{
    auto& s = *streams_;
    s.tls.reset();
    s.plain.reset();
    s.endless.reset();
    s.unread.clear();
    s.host = to.host;

    const auto [endpoint, ec] = endpoint_of(to);
    if (ec)
        co_return failed("address", ec);
    s.plain.emplace(s.executor);
    s.plain->expires_after(timeout); // one deadline for both steps
    auto [connect_ec] = co_await s.plain->async_connect(endpoint, nothrow);
    if (connect_ec)
        co_return failed("connect", connect_ec);
    error_code ignored;
    s.plain->socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    if (!to.tls)
        co_return "";

    s.tls.emplace(std::move(*s.plain), *to.tls);
    s.plain.reset();
    send_server_name(s.tls->native_handle(), to.host);
    if (to.verify)
        s.tls->set_verify_callback(asio::ssl::host_name_verification(to.host));
    auto [tls_ec] = co_await s.tls->async_handshake(asio::ssl::stream_base::client, nothrow);
    co_return tls_ec ? failed("TLS handshake", tls_ec) : "";
}

void http_connection::expect_life(milliseconds silence)
{
    auto* lowest = streams_->lowest();
    if (!lowest)
        return;
    const int fd = lowest->socket().native_handle();
    const auto set = [fd](int level, int name, int value)
    { static_cast<void>(::setsockopt(fd, level, name, &value, sizeof value)); };
    const auto seconds = static_cast<int>(std::max<std::int64_t>(1, silence.count() / 3000));
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, seconds);
    set(IPPROTO_TCP, TCP_KEEPINTVL, seconds);
    set(IPPROTO_TCP, TCP_KEEPCNT, 2);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(silence.count()));
}

void http_connection::close() noexcept
{
    auto* lowest = streams_->lowest();
    if (!lowest)
        return;
    error_code ignored;
    lowest->socket().shutdown(asio::socket_base::shutdown_both, ignored);
    lowest->cancel();
}

asio::awaitable<http_answer> http_connection::ask(http_request request, milliseconds timeout)
{
    auto& s = *streams_;
    if (!s.lowest())
        co_return no_answer("not connected");
    s.lowest()->expires_after(timeout);
    const auto text = text_of(request, s.host);
    const auto ec = co_await s.write(text);
    if (ec)
        co_return no_answer(failed("send", ec));

    parser p;
    p.eager(true);
    p.body_limit(request.largest_answer);
    const auto error = co_await s.parse_until([](const parser& x) { return x.is_done(); }, p);
    if (!error.empty())
        co_return no_answer(error);
    http_answer a;
    take_head(a, p);
    a.body = std::move(p.get().body());
    co_return a;
}

asio::awaitable<http_answer> http_connection::begin(http_request request, milliseconds timeout)
{
    auto& s = *streams_;
    if (!s.lowest())
        co_return no_answer("not connected");
    s.lowest()->expires_after(timeout);
    const auto text = text_of(request, s.host);
    const auto ec = co_await s.write(text);
    if (ec)
        co_return no_answer(failed("send", ec));

    s.endless.emplace();
    s.endless->eager(true);
    s.endless->body_limit(boost::none);
    const auto error =
        co_await s.parse_until([](const parser& x) { return x.is_header_done(); }, *s.endless);
    if (!error.empty())
        co_return no_answer(error);
    http_answer a;
    take_head(a, *s.endless);
    a.body = std::exchange(s.endless->get().body(), {});
    co_return a;
}

asio::awaitable<http_answer> http_connection::more()
{
    auto& s = *streams_;
    if (!s.lowest() || !s.endless || s.endless->is_done())
        co_return no_answer("stream: ended");
    s.lowest()->expires_never();
    const auto error = co_await s.parse_until(
        [](const parser& x) { return x.is_done() || !x.get().body().empty(); }, *s.endless
    );
    if (!error.empty())
        co_return no_answer(error);
    http_answer a;
    a.status = static_cast<int>(s.endless->get().result_int());
    a.body = std::exchange(s.endless->get().body(), {});
    co_return a;
}

namespace
{

template <class Use>
void use_file(const std::string& what, const char* key, const std::string& path, Use use)
{
    error_code ec;
    use(ec);
    if (ec)
        throw std::runtime_error(what + "." + key + ": cannot use '" + path + "': " + ec.message());
}

} // namespace

std::unique_ptr<asio::ssl::context>
make_tls_context(const config::client_tls& settings, const std::string& what)
{
    auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
    context->set_options(
        asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
        asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1
    );
    if (!settings.verify)
        context->set_verify_mode(asio::ssl::verify_none);
    else
    {
        context->set_verify_mode(asio::ssl::verify_peer);
        if (settings.ca.empty())
            context->set_default_verify_paths();
        else
            use_file(
                what,
                "ca",
                settings.ca,
                [&](error_code& ec) { context->load_verify_file(settings.ca, ec); }
            );
    }
    if (!settings.cert.empty())
    {
        use_file(
            what,
            "cert",
            settings.cert,
            [&](error_code& ec) { context->use_certificate_chain_file(settings.cert, ec); }
        );
        use_file(
            what,
            "key",
            settings.key,
            [&](error_code& ec)
            { context->use_private_key_file(settings.key, asio::ssl::context::pem, ec); }
        );
    }
    return context;
}

} // namespace rolegate::health
