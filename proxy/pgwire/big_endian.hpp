// SPDX-License-Identifier: PostgreSQL
//
// Int32 of the PostgreSQL protocol. Written with shifts: compilers make one load and one swap of
// it, and no alignment is asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rolegate::pgwire
{

[[nodiscard]] constexpr std::uint32_t big_endian_32(std::span<const std::byte, 4> in) noexcept
{
    return std::to_integer<std::uint32_t>(in[0]) << 24 |
           std::to_integer<std::uint32_t>(in[1]) << 16 |
           std::to_integer<std::uint32_t>(in[2]) << 8 | std::to_integer<std::uint32_t>(in[3]);
}

} // namespace rolegate::pgwire
