// SPDX-License-Identifier: PostgreSQL
//
// What `global` says of the files that other sections name. Pure.
#pragma once

#include <string>

namespace rolegate::config::haproxy
{

// Where files are whose names do not begin with a slash.
struct base_paths
{
    std::string ca;     // ca-base
    std::string crt;    // crt-base
    bool verify = true; // ssl-server-verify: what servers get that say nothing of it
};

[[nodiscard]] inline std::string resolved(const std::string& base, const std::string& path)
{
    return base.empty() || path.starts_with('/') ? path : base + "/" + path;
}

} // namespace rolegate::config::haproxy
