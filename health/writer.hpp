// SPDX-License-Identifier: PostgreSQL
//
// Who may be written to: at most one member, and by which rule. Pure.
#pragma once

#include "health/scene.hpp"

namespace rolegate::health
{

struct writer
{
    std::string name; // "" = nobody
    grant verdict;    // open or keep
};

[[nodiscard]] writer find_writer(const scene& s);

// The verdict on every other member.
[[nodiscard]] grant no_writer(const scene& s);

} // namespace rolegate::health
