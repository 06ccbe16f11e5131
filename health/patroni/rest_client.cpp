// SPDX-License-Identifier: PostgreSQL
#include "health/patroni/rest_client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <stdexcept>

namespace rolegate::health::patroni
{

namespace
{

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

rest_answer failed(const char* step, const error_code& ec)
{
    rest_answer a;
    if (ec == beast::error::timeout)
        a.error = std::string(step) + ": timed out";
    else if (ec == http::error::end_of_stream)
        a.error = std::string(step) + ": closed without an answer";
    else
        a.error = std::string(step) + ": " + ec.message();
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

// The same for plain and TLS streams: one request, one answer, nothing kept.
template <class Stream>
asio::awaitable<rest_answer>
exchange(Stream& stream, const rest_target& to, const std::string& path)
{
    http::request<http::empty_body> request{http::verb::get, path, 11};
    request.set(http::field::host, to.host);
    request.set(http::field::connection, "close");
    request.set(http::field::user_agent, "rolegate");
    auto [write_ec, written] = co_await http::async_write(stream, request, nothrow);
    if (write_ec)
        co_return failed("send", write_ec);

    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(max_body);
    auto [read_ec, n] = co_await http::async_read(stream, buffer, parser, nothrow);
    // Patroni before 2.1.5 ends TLS with a plain FIN; the body has ended all the same.
    if (read_ec == asio::ssl::error::stream_truncated && parser.is_header_done())
        parser.put_eof(read_ec);
    if (read_ec)
        co_return failed("answer", read_ec);

    rest_answer a;
    a.status = parser.get().result_int();
    a.body = std::move(parser.get().body());
    co_return a;
}

asio::awaitable<rest_answer>
exchange_over_tls(beast::tcp_stream plain, const rest_target& to, const std::string& path)
{
    beast::ssl_stream<beast::tcp_stream> stream(std::move(plain), *to.tls);
    send_server_name(stream.native_handle(), to.host);
    if (to.verify)
        stream.set_verify_callback(asio::ssl::host_name_verification(to.host));
    auto [ec] = co_await stream.async_handshake(asio::ssl::stream_base::client, nothrow);
    if (ec)
        co_return failed("TLS handshake", ec);
    co_return co_await exchange(stream, to, path);
}

template <class Use> void use_file(const char* key, const std::string& path, Use use)
{
    error_code ec;
    use(ec);
    if (ec)
        throw std::runtime_error(
            std::string("patroni.tls.") + key + ": cannot use '" + path + "': " + ec.message()
        );
}

} // namespace

asio::awaitable<rest_answer>
rest_get(rest_target to, std::string path, std::chrono::milliseconds timeout)
{
    error_code ec;
    const auto address = asio::ip::make_address(to.address, ec);
    if (ec)
        co_return failed("address", ec);

    beast::tcp_stream stream(co_await asio::this_coro::executor);
    stream.expires_after(timeout); // one deadline; every step below runs under it
    const asio::ip::tcp::endpoint endpoint(address, to.port);
    auto [connect_ec] = co_await stream.async_connect(endpoint, nothrow);
    if (connect_ec)
        co_return failed("connect", connect_ec);

    if (to.tls)
        co_return co_await exchange_over_tls(std::move(stream), to, path);
    co_return co_await exchange(stream, to, path);
}

std::unique_ptr<asio::ssl::context> make_tls_context(const config::client_tls& settings)
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
                "ca",
                settings.ca,
                [&](error_code& ec) { context->load_verify_file(settings.ca, ec); }
            );
    }
    if (!settings.cert.empty())
    {
        use_file(
            "cert",
            settings.cert,
            [&](error_code& ec) { context->use_certificate_chain_file(settings.cert, ec); }
        );
        use_file(
            "key",
            settings.key,
            [&](error_code& ec)
            { context->use_private_key_file(settings.key, asio::ssl::context::pem, ec); }
        );
    }
    return context;
}

} // namespace rolegate::health::patroni
