// SPDX-License-Identifier: PostgreSQL
//
// One request to the admin HTTP of a running proxy.
#pragma once

#include <chrono>
#include <string>
#include <utility>

namespace rolegate::proxy::cli
{

struct http_answer
{
    int status = 0;
    std::string body;
    std::string error; // "" = there is an answer, of whatever status
};

// Where the admin HTTP is, and as whom.
struct admin_address
{
    admin_address(std::string where) : url(std::move(where)) {}
    admin_address(const char* where) : url(where) {}

    // "http://[USER[:PASSWORD]@]HOST[:PORT]", where "http://" may be missing; the same with
    // "https://"; "unix:/PATH", or "unix:USER[:PASSWORD]@/PATH".
    std::string url;
    std::string ca;        // PEM file; "" = the system's store
    bool insecure = false; // any certificate will do
    std::string password;  // where the URL has a user and no password
};

// Without the password: for people.
[[nodiscard]] std::string shown(const admin_address& at);

// `limit` bounds the whole exchange, but for the look-up of a host name. Never asks a proxy of the
// environment (HTTP_PROXY).
[[nodiscard]] http_answer
http_get(const admin_address& at, const std::string& path, std::chrono::milliseconds limit);

// The same, to have something done.
[[nodiscard]] http_answer http_post(
    const admin_address& at,
    const std::string& path,
    std::chrono::milliseconds limit,
    const std::string& body = "{}"
);

// As a part of a path: "a/b" is "a%2Fb".
[[nodiscard]] std::string as_path_part(const std::string& name);

} // namespace rolegate::proxy::cli
