// SPDX-License-Identifier: PostgreSQL
//
// One request to the admin HTTP of a running proxy.
#pragma once

#include <chrono>
#include <string>

namespace rolegate::proxy::cli
{

struct http_answer
{
    int status = 0;
    std::string body;
    std::string error; // "" = there is an answer, of whatever status
};

// `base` is "http://HOST[:PORT]"; "http://" may be missing. `limit` bounds the whole exchange, but
// for the look-up of a host name. Never asks a proxy of the environment (HTTP_PROXY).
[[nodiscard]] http_answer
http_get(const std::string& base, const std::string& path, std::chrono::milliseconds limit);

// The same, to have something done.
[[nodiscard]] http_answer
http_post(const std::string& base, const std::string& path, std::chrono::milliseconds limit);

} // namespace rolegate::proxy::cli
