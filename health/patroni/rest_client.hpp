// SPDX-License-Identifier: PostgreSQL
//
// One GET to a Patroni REST API: HTTP/1.0 answers without length, read to the end, then closed at
// once (an idle connection pins one of Patroni's few request threads). Control thread only.
#pragma once

#include "health/http_connection.hpp"

namespace rolegate::health::patroni
{

// `timeout` bounds the whole request, from connect to the last byte.
[[nodiscard]] boost::asio::awaitable<http_answer>
rest_get(http_target to, std::string path, std::chrono::milliseconds timeout);

} // namespace rolegate::health::patroni
