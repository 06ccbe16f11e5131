// SPDX-License-Identifier: PostgreSQL
//
// What the operator wrote, as it appears inside a message. Pure.
#pragma once

#include <string>
#include <string_view>

namespace rolegate::config
{

// 'text' in single quotes on one line: control characters become '?', and what is longer than
// 64 bytes is cut, so that one problem is one line of a log.
[[nodiscard]] std::string quoted(std::string_view text);

} // namespace rolegate::config
