// SPDX-License-Identifier: PostgreSQL
#include "health/progress.hpp"

#include <algorithm>

namespace rolegate::health
{

void note_position(topology& t, const topology& before, const std::optional<wal_position>& now)
{
    t.position = before.position;
    t.earlier_position = before.earlier_position;
    if (!now)
        return;
    if (t.position && t.position->member != now->member)
        t.position.reset();
    if (t.position && t.position->seen == now->seen)
        return;
    t.earlier_position = t.position;
    t.position = now;
}

const wal_position*
position_for(const topology& t, time_point seen, std::chrono::milliseconds fresh_for)
{
    for (const auto* p : {&t.position, &t.earlier_position})
        if (*p && (*p)->seen <= seen)
            return seen - (*p)->seen <= fresh_for ? &**p : nullptr;
    return nullptr;
}

// Nothing to replay is no delay, unless it waits for WAL in vain. Where nobody says whether it
// streams (Patroni before 3.0.4, PostgreSQL itself), being where the primary is tells as much.
// After an hour without a commit the transaction replayed last is an hour old, however quick the
// standby is: it is not further behind than since it was up to date.
void measure_lag_time(member& m, const replay& said)
{
    m.lag_time = said.age;
    if (said.lsn && said.received_lsn && *said.lsn >= *said.received_lsn)
    {
        const bool tells = !m.replication_state.empty();
        if (tells ? m.replication_state == "streaming" : m.lag_bytes == 0)
            m.up_to_date = said.seen;
        else if (!tells && !m.lag_bytes)
            m.lag_time.reset();
    }
    if (!m.up_to_date || *m.up_to_date > said.seen)
        return;
    const auto since = std::chrono::floor<std::chrono::milliseconds>(said.seen - *m.up_to_date);
    m.lag_time = std::min(since, m.lag_time.value_or(since));
}

} // namespace rolegate::health
