// SPDX-License-Identifier: PostgreSQL
//
// One check of a member as HAProxy makes it: can it be connected to, and if wanted, does it answer
// an HTTP request with the right status?
#pragma once

#include "config/settings.hpp"
#include "health/http_connection.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace rolegate::health
{

// "" or what was wrong, after `limit` at the latest. `to.port` is the one to connect to.
[[nodiscard]] boost::asio::awaitable<std::string> check_member(
    http_target to, std::optional<config::http_check_settings> http, std::chrono::milliseconds limit
);

} // namespace rolegate::health
