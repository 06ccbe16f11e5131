// SPDX-License-Identifier: PostgreSQL
//
// What is known of a member beyond role and state, for listeners that ask for more: tags, how it
// replicates, how far it is behind. Of several sources the one that knows best counts; what nobody
// knows stays unknown, never zero. Pure.
#pragma once

#include "health/scene.hpp"

#include <array>
#include <optional>
#include <string_view>

namespace rolegate::health
{

// Where the leader says that it is in its WAL; to be noted before take_facts().
[[nodiscard]] std::optional<wal_position> leader_position(const scene& s);

// `m` is one of `t`'s, with what the listing says filled in.
void take_facts(const scene& s, const topology& t, member& m);

// Patroni's version as numbers, zeros where it does not say: version_of("3.0.4").
[[nodiscard]] std::array<int, 3> version_of(std::string_view text) noexcept;

} // namespace rolegate::health
