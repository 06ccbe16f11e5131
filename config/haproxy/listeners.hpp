// SPDX-License-Identifier: PostgreSQL
//
// Whom a section takes, and how it treats them, as listeners. Pure.
#pragma once

#include "config/haproxy/destination.hpp"
#include "config/haproxy/ledger.hpp"
#include "config/haproxy/names.hpp"
#include "config/haproxy/proxy.hpp"

#include <vector>

namespace rolegate::config::haproxy
{

// One for each group of binds that are treated alike. `front` and `back` are the same for a listen.
[[nodiscard]] std::vector<listener_settings> listeners_of(
    const proxy& front, const proxy& back, const destination& to, names& taken, ledger& book
);

} // namespace rolegate::config::haproxy
