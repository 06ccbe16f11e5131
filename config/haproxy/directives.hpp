// SPDX-License-Identifier: PostgreSQL
//
// Lines of HAProxy's sections that mean nothing here, or ask for what Rolegate has not, each with
// the reason. Pure.
#pragma once

#include "config/haproxy/ledger.hpp"
#include "config/haproxy/section.hpp"

#include <string_view>

namespace rolegate::config::haproxy
{

struct directive
{
    std::string_view name;
    verdict what;
    std::string_view why;
};

// nullptr: not one of them. A name that ends with * stands for any ending.
[[nodiscard]] const directive* find_global_directive(std::string_view name);
[[nodiscard]] const directive* find_proxy_directive(std::string_view name);
// What follows `option`.
[[nodiscard]] const directive* find_option(std::string_view name);

void settle(const line& l, const directive& d, ledger& book);

} // namespace rolegate::config::haproxy
