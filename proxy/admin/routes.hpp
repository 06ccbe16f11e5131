// SPDX-License-Identifier: PostgreSQL
//
// What the admin HTTP answers. Pure: (method, path, view of the process) to a response.
#pragma once

#include "proxy/process_view.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace rolegate::proxy::admin
{

struct response
{
    int status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
    std::string allow = "GET, HEAD"; // told with status 405
    std::string policy{};            // Content-Security-Policy; "" = none is told
    std::string authenticate{};      // how to say who one is, with status 401; "" = not told
};

// 404: "no WHAT 'NAME'", and the one that was probably meant of those there are.
[[nodiscard]] response
no_such(const std::string& what, std::string_view name, const std::vector<std::string>& known);
[[nodiscard]] response
no_such_listener(std::string_view name, const std::vector<std::string>& known);

// HAProxy's statistics, under whatever name a collector has for them: "/;csv",
// "/haproxy?stats;csv;norefresh". They come before every other page.
[[nodiscard]] bool asks_for_csv(std::string_view target);

[[nodiscard]] response
answer(std::string_view method, std::string_view target, const process_view& view);

} // namespace rolegate::proxy::admin
