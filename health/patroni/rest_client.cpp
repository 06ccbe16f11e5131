// SPDX-License-Identifier: PostgreSQL
#include "health/patroni/rest_client.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace rolegate::health::patroni
{

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

asio::awaitable<http_answer> rest_get(http_target to, std::string path, milliseconds timeout)
{
    const auto until = steady_clock::now() + timeout;
    http_connection connection(co_await asio::this_coro::executor);
    http_answer answer;
    answer.error = co_await connection.open(std::move(to), timeout);
    if (!answer.error.empty())
        co_return answer;

    const auto left = std::chrono::duration_cast<milliseconds>(until - steady_clock::now());
    http_request request;
    request.path = std::move(path);
    request.last = true;
    answer = co_await connection.ask(std::move(request), std::max(left, milliseconds(1)));
    co_return answer;
}

} // namespace rolegate::health::patroni
