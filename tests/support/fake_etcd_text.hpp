// SPDX-License-Identifier: PostgreSQL
//
// What the fake etcd writes and reads: pieces of JSON and of HTTP/1.1.
#pragma once

#include "health/dcs/base64.hpp"

#include <cstdint>
#include <cstdio>
#include <string>

namespace rolegate::support::etcd_text
{

inline const std::string folder = "/service/demo/";

[[nodiscard]] inline std::string quoted(const std::string& text)
{
    std::string out = "\"";
    for (const char c : text)
        out += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
    return out + '"';
}

[[nodiscard]] inline std::string number(const char* key, std::uint64_t n)
{
    return quoted(key) + ":\"" + std::to_string(n) + '"';
}

// The text of "key":"..." in a request, which is without escapes.
[[nodiscard]] inline std::string text_in(const std::string& body, const std::string& key)
{
    const auto begin = body.find(quoted(key) + ":\"");
    if (begin == body.npos)
        return {};
    const auto from = begin + key.size() + 4;
    return body.substr(from, body.find('"', from) - from);
}

[[nodiscard]] inline std::uint64_t number_in(const std::string& text)
{
    return text.empty() ? 0 : std::stoull(text);
}

[[nodiscard]] inline std::string parameter(const std::string& target, const std::string& name)
{
    const auto begin = target.find(name + "=");
    if (begin == target.npos)
        return {};
    const auto from = begin + name.size() + 1;
    return target.substr(from, target.find('&', from) - from);
}

[[nodiscard]] inline std::string status_line(int status)
{
    return "HTTP/1.1 " + std::to_string(status) + (status == 200 ? " OK" : " Not OK") +
           "\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: application/json\r\n";
}

[[nodiscard]] inline std::string chunk(const std::string& text)
{
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", text.size());
    return size + text + "\r\n";
}

[[nodiscard]] inline std::string with_length(const std::string& head, const std::string& body)
{
    return head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// An answer with length; errors come in chunks and with a trailer.
[[nodiscard]] inline std::string whole(int status, const std::string& body)
{
    if (status == 200)
        return with_length(status_line(status), body);
    return status_line(status) +
           "Trailer: Grpc-Trailer-Content-Type\r\nTransfer-Encoding: chunked\r\n\r\n" +
           chunk(body) + "0\r\nGrpc-Trailer-Content-Type: application/grpc\r\n\r\n";
}

[[nodiscard]] inline std::string failure(int status, int code, const std::string& text)
{
    const auto t = quoted("etcdserver: " + text);
    return whole(
        status,
        R"({"error":)" + t + R"(,"message":)" + t + R"(,"code":)" + std::to_string(code) + "}"
    );
}

// "/service/demo/members/a" from the base64 of it.
[[nodiscard]] inline std::string plain(const std::string& encoded)
{
    return health::dcs::base64_decode(encoded).value_or("");
}

} // namespace rolegate::support::etcd_text
