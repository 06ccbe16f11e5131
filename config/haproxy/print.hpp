// SPDX-License-Identifier: PostgreSQL
//
// Settings as a person would write them: what is as it is by default is left out, secrets are not.
// Pure.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <string_view>

namespace rolegate::config::haproxy
{

// `source` is the name of the haproxy.cfg, told at the top with what to check.
[[nodiscard]] std::string print(const settings& s, std::string_view source);

} // namespace rolegate::config::haproxy
