// SPDX-License-Identifier: PostgreSQL
//
// Who may be written to, by the members' words alone. Pure.
#pragma once

#include "health/postgres/decide.hpp"

#include <string>
#include <vector>

namespace rolegate::health::postgres
{

// One decision's material, and what follows from it about history.
struct scene
{
    scene(const evidence& e, const policy& p, const topology& t, time_point at);

    const evidence& seen;
    const policy& rules;
    const topology& before;
    time_point now;
    // Every member has been heard or has failed `fall` times: the first primary may be opened.
    bool complete = false;
    // No system is known yet, and several are named: by any members, by primaries.
    bool systems_differ = false;
    bool primaries_differ = false;
    std::uint32_t highest_timeline = 0;      // of any primary of this system seen so far
    std::vector<const testimony*> primaries; // that are on it, by their own words
};

// Of this system, as far as known; "" = none is known yet.
[[nodiscard]] bool is_of(const testimony& t, const std::string& system);

// The verdict on a member for writes; `fenced` is when somebody was last closed for them.
[[nodiscard]] grant write_grant(const scene& s, const testimony& t, time_point fenced);

// Who was written to last, and nothing has been said against it; "" = nobody.
[[nodiscard]] std::string last_writer_after(const scene& s, const std::string& open);

} // namespace rolegate::health::postgres
