// SPDX-License-Identifier: PostgreSQL
//
// `rolegate import-haproxy FILE`: the configuration on stdout, and on stderr what became of the
// lines that are not in it.
#pragma once

#include <CLI/App.hpp>

#include <string>

namespace rolegate::proxy::cli
{

struct import_arguments
{
    std::string file;
    bool allow_unsupported = false;
};

CLI::App* add_import(CLI::App& app, import_arguments& to);

// The exit code: 0; 2: the file cannot be read, or leads nobody anywhere; 3: lines were refused.
[[nodiscard]] int import_haproxy(const import_arguments& args);

} // namespace rolegate::proxy::cli
