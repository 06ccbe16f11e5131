// SPDX-License-Identifier: PostgreSQL
//
// Keys of the configuration that hold a secret, each of which has a form KEY_file.
#pragma once

#include "config/yaml_reader.hpp"

#include <string>
#include <string_view>

namespace rolegate::config
{

// The first line of the file that `node` names; "" names none.
void read_secret_file(yaml_reader& in, const yaml_node& node, std::string& out);

// Both forms were read: `out` from KEY, `of_file` from KEY_file. At most one may be set.
void settle_secret(
    yaml_reader& in,
    const yaml_node& section,
    const std::string& key,
    std::string& out,
    const std::string& of_file
);

// The key stands there and a problem was noted for it, so that nothing follows from its value.
[[nodiscard]] bool
was_refused(const yaml_reader& in, const yaml_node& section, std::string_view key);

} // namespace rolegate::config
