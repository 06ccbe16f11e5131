// SPDX-License-Identifier: PostgreSQL
//
// Colours for a terminal, put in when the columns stand already. Pure.
#pragma once

#include <string>

namespace rolegate::proxy::cli
{

// Of status_table(): headings, what is well, what wants attention, what is wrong.
[[nodiscard]] std::string coloured(const std::string& text);

} // namespace rolegate::proxy::cli
