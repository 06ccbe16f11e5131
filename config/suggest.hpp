// SPDX-License-Identifier: PostgreSQL
//
// "did you mean": the known word that is nearest to a mistyped one. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::config
{

// How many letters must be added, dropped, changed or swapped with their neighbour to make `b`
// of `a`; case does not count.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest word, the first one of equals; nullopt when even that is too far to be a typo.
[[nodiscard]] std::optional<std::string>
suggest(std::string_view word, const std::vector<std::string>& known);

// ", did you mean 'x'?", or nothing.
[[nodiscard]] std::string
did_you_mean(std::string_view word, const std::vector<std::string>& known);

} // namespace rolegate::config
