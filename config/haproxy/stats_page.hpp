// SPDX-License-Identifier: PostgreSQL
//
// A section in mode http: HAProxy's statistics, whose place the admin address takes, or something
// that Rolegate does not do. Pure.
#pragma once

#include "config/haproxy/ledger.hpp"
#include "config/haproxy/paths.hpp"
#include "config/haproxy/section.hpp"
#include "config/settings.hpp"

#include <vector>

namespace rolegate::config::haproxy
{

// `taken`: whether there has been one already.
void read_http_section(
    const section& own,
    const std::vector<const line*>& inherited,
    const base_paths& base,
    admin_settings& to,
    bool& taken,
    ledger& book
);

} // namespace rolegate::config::haproxy
