// SPDX-License-Identifier: PostgreSQL
#include "health/lock.hpp"

#include <tuple>

namespace rolegate::health
{

namespace
{

struct claim
{
    const lock_report* report = nullptr;
    const std::string* source = nullptr;

    [[nodiscard]] const listed_member* holder() const noexcept { return report->listing.leader(); }
};

// The timeline a holder has by its own account; a promotion has raised it. A claim that the key
// is absent has none.
std::uint32_t timeline_of(const evidence& seen, const claim& c)
{
    const auto* holder = c.holder();
    if (!holder)
        return 0;
    const auto word = seen.words.find(holder->name);
    if (word == seen.words.end() || !word->second.word)
        return 0;
    return word->second.word->timeline.value_or(0);
}

bool outranks(const evidence& seen, const claim& a, const claim& b)
{
    if (a.holder() && b.holder() && a.holder()->name == b.holder()->name)
        return a.report->seen > b.report->seen;
    if (a.holder() && b.holder())
    {
        const auto ta = timeline_of(seen, a);
        const auto tb = timeline_of(seen, b);
        if (ta != tb)
            return ta > tb;
    }
    return std::tie(a.report->since, a.report->seen) > std::tie(b.report->since, b.report->seen);
}

} // namespace

lock_belief believe_lock(
    const evidence& seen,
    const lock_belief& before,
    std::chrono::milliseconds fresh_for,
    time_point now
)
{
    claim best;
    for (const auto& [source, report] : seen.reports)
    {
        if (now - report.seen > fresh_for)
            continue;
        const claim c{&report, &source};
        if (!best.report || outranks(seen, c, best))
            best = c;
    }

    lock_belief belief;
    if (best.report)
    {
        const auto* holder = best.holder();
        belief.what = holder ? lock_belief::kind::held : lock_belief::kind::none;
        belief.holder = holder ? holder->name : "";
        belief.source = *best.source;
        belief.seen = best.report->seen;
    }
    const bool as_before = belief.what == before.what && belief.holder == before.holder;
    belief.since = as_before ? before.since : now;
    return belief;
}

const lock_report* report_behind(const evidence& seen, const lock_belief& belief)
{
    if (belief.what == lock_belief::kind::unknown)
        return nullptr;
    const auto it = seen.reports.find(belief.source);
    return it == seen.reports.end() ? nullptr : &it->second;
}

} // namespace rolegate::health
