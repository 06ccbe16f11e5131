// SPDX-License-Identifier: PostgreSQL
//
// What became of passwords that were sent to the admin HTTP.
#pragma once

#include <cstdint>

namespace rolegate::proxy
{

struct login_counts
{
    std::uint64_t ok = 0;
    std::uint64_t failed = 0;  // wrong
    std::uint64_t limited = 0; // not looked at: too many from there, or too many at once
};

} // namespace rolegate::proxy
