// SPDX-License-Identifier: PostgreSQL
//
// ${VAR} in the text of a value. Pure: the environment comes in as an argument.
#pragma once

#include "config/load.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace rolegate::config
{

struct expanded_text
{
    std::optional<std::string> value;
    std::string error; // set when `value` is not
};

// ${VAR}: its value, an error when it is not set. ${VAR:-default}: `default` when VAR is not set
// or empty, as in the shell. $$: one dollar. Any other dollar stays as it is. What a variable
// holds is not expanded again.
[[nodiscard]] expanded_text expand(std::string_view text, const environment& env);

} // namespace rolegate::config
