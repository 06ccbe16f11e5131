// SPDX-License-Identifier: PostgreSQL
//
// YAML text to settings, or every problem found in it, each with its place. The only room that
// knows yaml-cpp. Never throws for what the operator wrote.
#pragma once

#include "config/settings.hpp"

#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::config
{

// `line` and `column` count from 1; 0 means the whole file (e.g. it cannot be read).
struct problem
{
    std::string file;
    int line = 0;
    int column = 0;
    std::string text;

    friend bool operator==(const problem&, const problem&) = default;
};

// "FILE:LINE:COL: text", or "FILE: text" for a problem of the whole file.
[[nodiscard]] std::string to_string(const problem& p);

struct load_result
{
    settings value;                // usable only when `problems` is empty
    std::vector<problem> problems; // in the order of the file
    std::vector<problem> warnings; // of settings that can be used
};

// Looks up an environment variable for ${VAR}; nullopt: not set.
using environment = std::function<std::optional<std::string>(const std::string&)>;

[[nodiscard]] environment process_environment();

// `file` is used in problems only.
[[nodiscard]] load_result
load_text(std::string_view yaml, const std::string& file, const environment& env);

[[nodiscard]] load_result load_file(const std::string& path, const environment& env);

} // namespace rolegate::config
