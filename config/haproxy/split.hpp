// SPDX-License-Identifier: PostgreSQL
//
// One line of a haproxy.cfg to its words, by HAProxy's rules for quotes, backslashes, comments and
// environment variables (configuration manual, 2.2 and 2.3). Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::config::haproxy
{

// The value of an environment variable; nullopt: not set.
using variables = std::function<std::optional<std::string>(const std::string&)>;

struct split_line
{
    std::vector<std::string> words;
    std::string error; // set: the line cannot be read, `words` mean nothing
};

// Variables are replaced in double quotes only, as HAProxy does it. One that is not set and has no
// default is an error, because here it may be another environment than HAProxy's.
[[nodiscard]] split_line split(std::string_view line, const variables& lookup);

} // namespace rolegate::config::haproxy
