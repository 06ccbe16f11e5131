// SPDX-License-Identifier: PostgreSQL
//
// The section `etcd3` or `etcd` of Patroni's own configuration, read as Patroni reads it: what it
// ignores is ignored. Ours, which is judged more strictly, is in dcs_schema.cpp.
#pragma once

#include "config/patroni_values.hpp"
#include "config/settings.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace rolegate::config
{

// `at` is where a missing address is complained about.
void read_patroni_etcd(
    patroni_values& from, std::string_view section, const patroni_value& at, dcs_settings& out
);

// Patroni takes the last colon for the one before the port, so "::1:8008" is an address to it.
[[nodiscard]] std::string in_brackets(std::string_view address);

// From 0 to `max`; nullopt for all else.
[[nodiscard]] std::optional<int> whole_number(std::string_view text, int max);

} // namespace rolegate::config
