// SPDX-License-Identifier: PostgreSQL
//
// What is known of a member beyond role and state, for listeners that ask for more: tags, how it
// replicates, how far it is behind. Of several sources the one that knows best counts; what nobody
// knows stays unknown, never zero. Pure.
#pragma once

#include "health/scene.hpp"

#include <array>
#include <string_view>

namespace rolegate::health
{

// Where the leader is in its WAL; before take_facts().
void note_position(const scene& s, topology& t);

// `m` is one of `t`'s, with what the listing says filled in.
void take_facts(const scene& s, const topology& t, member& m);

// Patroni's version as numbers, zeros where it does not say: version_of("3.0.4").
[[nodiscard]] std::array<int, 3> version_of(std::string_view text) noexcept;

} // namespace rolegate::health
