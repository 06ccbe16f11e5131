// SPDX-License-Identifier: PostgreSQL
//
// What a running proxy says of itself: once, or again every second.
#pragma once

#include "proxy/cli/client.hpp"

#include <string>

namespace rolegate::proxy::cli
{

struct query
{
    admin_address admin;
    std::string path;
    std::string (*render)(const std::string& json); // nullptr: the JSON as it is
    bool post = false;                              // something is to be done
    std::string body = "{}";                        // of a post
    bool colours = false;                           // those of coloured(), on a terminal
};

// Prints the answer; returns the exit code. Errors go to stderr.
[[nodiscard]] int show(const query& q);

// Until SIGINT or SIGTERM; errors are shown in the answer's place, since a proxy may come back.
[[nodiscard]] int watch(const query& q);

} // namespace rolegate::proxy::cli
