// SPDX-License-Identifier: PostgreSQL
//
// The words behind a server's address that mean nothing here, or what Rolegate has not. Pure.
#pragma once

#include "config/haproxy/ledger.hpp"

#include <cstddef>
#include <string_view>

namespace rolegate::config::haproxy
{

struct server_word
{
    std::string_view name;
    std::size_t values; // that follow it
    verdict what;
    std::string_view why;
};

// nullptr: not one of them.
[[nodiscard]] const server_word* find_server_word(std::string_view name);

} // namespace rolegate::config::haproxy
