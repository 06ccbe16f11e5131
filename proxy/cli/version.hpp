// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <string>

namespace rolegate::proxy::cli
{

// Version, build and the libraries' versions, one a line: what a bug report needs.
[[nodiscard]] std::string version_text();

} // namespace rolegate::proxy::cli
