// SPDX-License-Identifier: PostgreSQL
//
// Whether a listener can serve new clients, and if not, why, in one line for people.
#pragma once

#include "proxy/process_view.hpp"

#include <string>

namespace rolegate::proxy::admin
{

// "" = ready. Else e.g. "no member is open: pg-1: holds the leader lock, but is 'replica' in state
// 'running'"; never a line break.
[[nodiscard]] std::string why_not_ready(const process_view& view, const listener_view& listener);

// What the status says of a member in one phrase: why it is routable, or what stands in its way.
[[nodiscard]] std::string
reason_of(const health::topology& t, const health::member& m, health::time_point now);

// The listener's role as the configuration spells it: "primary", "read-only".
[[nodiscard]] std::string role_word(const listener_view& listener);

[[nodiscard]] std::int64_t ms_between(health::time_point from, health::time_point to) noexcept;

} // namespace rolegate::proxy::admin
