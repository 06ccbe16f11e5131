// SPDX-License-Identifier: PostgreSQL
//
// What the admin HTTP answers. Pure: (method, path, view of the process) to a response.
#pragma once

#include "proxy/process_view.hpp"

#include <string>
#include <string_view>

namespace rolegate::proxy::admin
{

struct response
{
    int status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
    std::string allow = "GET, HEAD"; // told with status 405
    std::string policy{};            // Content-Security-Policy; "" = none is told
};

[[nodiscard]] response no_such_listener(std::string_view name);

[[nodiscard]] response
answer(std::string_view method, std::string_view target, const process_view& view);

} // namespace rolegate::proxy::admin
