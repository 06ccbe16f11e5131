// SPDX-License-Identifier: PostgreSQL
//
// Settings without a file of ours: `rolegate run --patroni HOST:PORT,...`. One cluster "main", a
// listener "write" for the primary and "read" for the replicas.
#pragma once

#include "config/load.hpp"

#include <string>
#include <vector>

namespace rolegate::config
{

// The values of the command line options, unparsed. Problems name the option as their file
// ("--patroni: ...", line 0).
struct bind_options
{
    std::string write_bind = "*:5432";
    std::string read_bind = "*:5433";
    std::string admin_bind = "127.0.0.1:7000";
};

struct seed_options
{
    std::string patroni; // "HOST:PORT[,HOST:PORT...]"
    bind_options binds;
};

[[nodiscard]] load_result settings_from_seeds(const seed_options& options);

// Gives the cluster "main", which stands in `out`, its listeners, and judges the whole. Problems of
// the cluster go to `source`; those of the options follow what is in `out` already.
void add_listeners(load_result& out, const std::string& source, const bind_options& options);

} // namespace rolegate::config
