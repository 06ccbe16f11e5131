// SPDX-License-Identifier: PostgreSQL
#include "health/member_check.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace rolegate::health
{

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace
{

std::string judge(int status, unsigned expected)
{
    const bool good =
        expected == 0 ? status >= 200 && status < 400 : status == static_cast<int>(expected);
    return good ? "" : "HTTP status " + std::to_string(status);
}

} // namespace

asio::awaitable<std::string>
check_member(http_target to, std::optional<config::http_check_settings> http, milliseconds limit)
{
    const auto until = steady_clock::now() + limit;
    http_connection connection(co_await asio::this_coro::executor);
    std::string error = co_await connection.open(std::move(to), limit);
    if (!error.empty() || !http)
        co_return error;

    http_request request;
    request.method = http->method;
    request.path = http->uri;
    request.last = true;
    const auto left = std::chrono::duration_cast<milliseconds>(until - steady_clock::now());
    // The head alone: a body may be long, and nobody reads it.
    const auto answer =
        co_await connection.begin(std::move(request), std::max(left, milliseconds(1)));
    if (!answer.error.empty())
        co_return answer.error;
    co_return judge(answer.status, http->expect_status);
}

} // namespace rolegate::health
