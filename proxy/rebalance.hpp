// SPDX-License-Identifier: PostgreSQL
//
// How many sessions a member should give up to others, once a member has joined them. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace rolegate::proxy
{

// A member that new sessions may go to, and what it has. One that is full is none: nobody could
// come to it.
struct holding
{
    std::string_view member;
    std::size_t sessions = 0;
    unsigned weight = 1;                             // the effective one
    std::size_t most = static_cast<std::size_t>(-1); // its maxconn now
};

// What `of` has beyond its share by weight of all sessions, `away` included: those have been moved
// and have not come back yet, else a crowd of clients that stay away would empty every member. 0
// where it is less than a twentieth and one session more, so that nobody goes to and fro.
[[nodiscard]] std::size_t
surplus(const holding& of, std::span<const holding> all, std::size_t away) noexcept;

// How many more sessions those with less than their share have places for, less the `away` ones,
// who may be on their way to them.
[[nodiscard]] std::size_t places(std::span<const holding> all, std::size_t away) noexcept;

// How many of the member's sessions may be moved within a second: that share of them, rounded up,
// and never more than its surplus.
[[nodiscard]] std::size_t
moves_due(std::size_t surplus, std::size_t sessions, unsigned percent) noexcept;

} // namespace rolegate::proxy
