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
    grant write;      // open or keep
    // Kept for want of news, and nothing has been said against it: whoever was written to until
    // now may be again without a new word.
    bool nothing_new = false;
};

[[nodiscard]] writer find_writer(const scene& s);

// The verdict on every member but `w`.
[[nodiscard]] grant no_writer(const scene& s, const writer& w);

} // namespace rolegate::health
