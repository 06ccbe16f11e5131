// SPDX-License-Identifier: PostgreSQL
#include "health/postgres/evidence.hpp"

namespace rolegate::health::postgres
{

void testimony::take(const sql_report& report, const counts& limits, time_point now)
{
    said = report;
    tried = now;
    const bool good = answers();
    if (good)
        refusals.spoke(said.asked, !said.word->in_recovery, now);

    const auto now_state = good ? hearing::heard : hearing::silent;
    if (state == now_state)
    {
        in_row = 0;
        return;
    }
    // A first answer contradicts nothing, so it counts alone.
    const auto first = state == hearing::unheard ? 1 : limits.rise;
    if (++in_row < (good ? first : limits.fall))
        return;
    state = now_state;
    in_row = 0;
    heard_since = good ? now : time_point{};
}

void testimony::forget()
{
    said = {};
    state = hearing::unheard;
    in_row = 0;
    heard_since = {};
    refusals = {};
}

} // namespace rolegate::health::postgres
