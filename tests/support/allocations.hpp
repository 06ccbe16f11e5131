// SPDX-License-Identifier: PostgreSQL
//
// Counts what this program allocates with `new`, by thread; linking this file is enough.
#pragma once

#include <cstdint>

namespace rolegate::support
{

// By the calling thread since it began.
[[nodiscard]] std::uint64_t allocations_here() noexcept;

} // namespace rolegate::support
