// SPDX-License-Identifier: PostgreSQL
//
// Words and columns for a terminal. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::proxy::cli
{

// Control characters as \xNN: names and errors come from the network, and a terminal obeys them.
[[nodiscard]] std::string printable(std::string_view text);

// "120 ms", "12.3 s", "5 min 3 s", "2 h 5 min", "3 d 4 h"
[[nodiscard]] std::string duration_text(std::int64_t ms);

// In PostgreSQL's units, as pg_size_pretty() rounds: "512 bytes", "16 kB", "24 MB".
[[nodiscard]] std::string size_text(std::int64_t bytes);

// Numbers under each other: blanks before `text` up to that many characters.
[[nodiscard]] std::string right_aligned(const std::string& text, std::size_t characters);

using row = std::vector<std::string>;

// Columns as wide as their longest text, the last one ragged.
[[nodiscard]] std::string columns(const std::vector<row>& rows);

} // namespace rolegate::proxy::cli
