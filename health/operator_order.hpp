// SPDX-License-Identifier: PostgreSQL
//
// What an operator has said of a member, in HAProxy's three words. Not what the member is, but what
// is to be done with it. Pure values.
#pragma once

#include <map>
#include <string>

namespace rolegate::health
{

enum class operator_state
{
    ready, // nothing stands in its way
    drain, // no new sessions; those it has stay
    maint, // no new sessions; those it has end with their transactions
};

struct operator_order
{
    operator_state state = operator_state::ready;
    std::string reason; // for people: "drained by dba at 2026-11-22 10:22:05 UTC"

    friend bool operator==(const operator_order&, const operator_order&) = default;
};

// By member name; whoever is not named is ready.
using operator_orders = std::map<std::string, operator_order>;

} // namespace rolegate::health
