// SPDX-License-Identifier: PostgreSQL
//
// From two beliefs, one after the other: which members each listener has gained and lost, and
// which listeners lead to nobody any more. Pure.
#pragma once

#include "health/topology.hpp"

#include <string>
#include <vector>

namespace rolegate::proxy
{

// A member that gets new sessions of a listener now, or none any more.
struct member_turn
{
    std::string listener;
    std::string member;
    health::grant now; // of a member that is forgotten: closed
};

// Its first member is open, or its last one is not any more.
struct listener_turn
{
    std::string listener;
    bool open = false;
};

struct door_changes
{
    std::vector<member_turn> members; // by listener, and of each by name; the forgotten ones last
    std::vector<listener_turn> listeners;
};

// A member that is shut out by turns, first from new sessions and then of those it has, is told of
// twice; one that is new, or has just been heard for the first time, and shut is not.
[[nodiscard]] door_changes
changes_at_doors(const health::topology& before, const health::topology& after);

} // namespace rolegate::proxy
