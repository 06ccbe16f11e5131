// SPDX-License-Identifier: PostgreSQL
//
// A broken promise stops the fuzzer, and the replay test, at the input that showed it.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace rolegate::fuzz
{

// The builtins stand in for std::source_location, which clang 14 does not have.
inline void
require(bool holds, const char* file = __builtin_FILE(), int line = __builtin_LINE()) noexcept
{
    if (holds)
        return;
    std::fprintf(stderr, "%s:%d: broken promise\n", file, line);
    std::abort();
}

} // namespace rolegate::fuzz
