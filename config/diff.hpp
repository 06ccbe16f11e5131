// SPDX-License-Identifier: PostgreSQL
//
// What changes from one configuration to the next, in the operator's words. Made from what
// print() shows, so that no setting can be forgotten, and no secret told. Pure.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <vector>

namespace rolegate::config
{

struct change
{
    std::string text; // "listener read: balance roundrobin -> leastconn"
    bool needs_restart = false;

    friend bool operator==(const change&, const change&) = default;
};

// Empty if and only if both are equal.
[[nodiscard]] std::vector<change> diff(const settings& before, const settings& after);

// `wanted`, but for what a running process cannot change: diff() of the two needs no restart.
[[nodiscard]] settings without_restart(settings wanted, const settings& running);

// The same cluster by other settings: what is known of it is still true. Else it only has the
// same name.
[[nodiscard]] bool is_same_cluster(const cluster_settings& before, const cluster_settings& after);

} // namespace rolegate::config
