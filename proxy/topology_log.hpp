// SPDX-License-Identifier: PostgreSQL
//
// What the log tells of a change of belief: one line with its cause, then a line for each thing
// that somebody may be looking for at night: the primary, the DCS, each listener and its members.
#pragma once

#include "health/topology.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace rolegate::proxy
{

// The last primary, for the line that tells of the next one.
struct primary_memory
{
    std::string name; // "" = none yet
    std::optional<health::time_point> lost;
};

void tell_change(
    const health::topology& before,
    const health::topology& after,
    const primary_memory& last,
    health::time_point now
);

} // namespace rolegate::proxy
