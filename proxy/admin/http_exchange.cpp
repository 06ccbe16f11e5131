// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/http_exchange.hpp"

#include "proxy/admin/json.hpp"

#include <boost/beast/core/string.hpp>

namespace rolegate::proxy::admin
{

namespace
{

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

// What has been sent already is thrown away in a few pieces.
constexpr std::size_t linger_chunk = 64 * 1024;

} // namespace

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

int status_of_expectation(const request_parser& parser, bool body_has_begun)
{
    const auto& got = parser.get();
    const auto expected = got[http::field::expect];
    if (expected.empty() || got.version() < 11) // HTTP/1.0 knows no such thing
        return 0;
    if (!beast::iequals(expected, "100-continue"))
        return 417;
    return parser.is_done() || body_has_begun ? 0 : 100;
}

response error_response(int status)
{
    const auto what = http::obsolete_reason(static_cast<http::status>(status));
    return {status, "application/json", error_json(std::string_view(what.data(), what.size()))};
}

void fill(http::fields& out, const response& from)
{
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
}

asio::awaitable<void> close_politely(any_stream& stream, beast::flat_buffer& buffer)
{
    error_code ignored;
    stream.socket().shutdown(asio::socket_base::shutdown_send, ignored);
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

} // namespace rolegate::proxy::admin
