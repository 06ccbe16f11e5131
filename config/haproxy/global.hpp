// SPDX-License-Identifier: PostgreSQL
//
// The section `global`. Pure.
#pragma once

#include "config/haproxy/ledger.hpp"
#include "config/haproxy/paths.hpp"
#include "config/haproxy/section.hpp"
#include "config/settings.hpp"

namespace rolegate::config::haproxy
{

void read_global(const section& s, settings& to, base_paths& base, ledger& book);

} // namespace rolegate::config::haproxy
