// SPDX-License-Identifier: PostgreSQL
//
// The history of role changes as a process leaves it to its successor: a part of handed_over, with
// a version of its own. Pure.
#pragma once

#include "proxy/role_history.hpp"

#include <boost/json/object.hpp>

namespace rolegate::proxy
{

[[nodiscard]] boost::json::object to_object(const role_history::memory& m);

// Empty when it is of another version. What cannot be read of it is left out; not more is taken
// than this process would have kept itself.
[[nodiscard]] role_history::memory history_from(const boost::json::object& o);

} // namespace rolegate::proxy
