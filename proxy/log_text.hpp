// SPDX-License-Identifier: PostgreSQL
//
// Text that clients and clusters supply, made fit for a line of the log: it can neither break its
// line nor speak to a terminal. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rolegate::proxy::log
{

// For key=value: in double quotes where it needs them. Control characters, also those of ISO
// 8859-1, and bytes that are no UTF-8 become \xNN. Cut behind `limit` bytes, between two
// characters, and then "..." follows.
void append_quoted(std::string& out, std::string_view text, std::size_t limit);

// A JSON string with its quotes, cut in the same way. Bytes that are no UTF-8 become the four
// characters \xNN: JSON itself has no way to say them.
void append_json(std::string& out, std::string_view text, std::size_t limit);

} // namespace rolegate::proxy::log
