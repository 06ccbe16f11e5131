// SPDX-License-Identifier: PostgreSQL
//
// Sessions that another member should serve: idle ones are ended, a few at a time, for their
// clients come again, and all at once they would be a stampede. And views that have grown too old.
#include "proxy/log.hpp"
#include "proxy/worker.hpp"

#include <algorithm>
#include <chrono>

namespace rolegate::proxy
{

namespace
{

// Judged alike, whatever else a reload has changed in between.
bool same_way(const listener_state& a, const listener_state& b) noexcept
{
    return a.id == b.id && a.cluster == b.cluster && a.to == b.to;
}

} // namespace

// As many of the sessions that relay to this member through this listener.
std::size_t
worker::move_sessions(const listener_state& l, std::string_view member, std::size_t most)
{
    std::size_t moved = 0;
    const auto move = [&](session& s)
    {
        if (moved < most && same_way(s.listener(), l) && s.member() == member && s.move_on())
            ++moved;
    };
    for_each_session(relaying_, move);
    return moved;
}

// Off a member that only stood in for others: a tenth of its sessions a second.
void worker::send_back()
{
    const auto all = all_listeners();
    for (auto l = all.begin(); l != all.end(); ++l)
    {
        const auto* m = relieved_member((*l)->to, *beliefs_[(*l)->cluster]);
        const auto is_same = [l](const auto& other) { return same_way(*other, **l); };
        if (!m || std::any_of(all.begin(), l, is_same))
            continue;
        const auto is_there = [l, m](const session& s)
        { return same_way(s.listener(), **l) && s.member() == m->name; };
        const auto there = static_cast<std::size_t>(std::ranges::count_if(relaying_, is_there));
        move_sessions(**l, m->name, (there + 9) / 10);
    }
}

// `rebalance`. One worker at a time, each for a second, so that no two move the same surplus.
void worker::rebalance(session::time_point now)
{
    using std::chrono::seconds;
    const auto second = static_cast<std::uint64_t>(
        std::chrono::duration_cast<seconds>(now.time_since_epoch()).count()
    );
    if (second == rebalanced_ || second % workers_ != index_)
        return;
    rebalanced_ = second;
    for (const auto& l : listeners_)
    {
        // Whoever has to wait would wait for longer.
        if (l->settings.rebalance == 0 || l->door.paused() || l->door.held() > 0)
            continue;
        const auto t = beliefs_[l->cluster];
        const auto due = l->members.surplus_members(
            *t, now, l->door.sessions_by_member(l->cluster), l->settings.rebalance
        );
        for (const auto& [member, most] : due)
            l->members.note_moved(move_sessions(*l, member, most), now);
    }
}

// Nobody publishes a view that has grown too old.
void worker::tell_stale(session::time_point now)
{
    for (const auto& [cluster, belief] : beliefs_)
    {
        const auto& t = *belief;
        const bool stale = t.stale(now);
        if (stale == stale_.contains(cluster))
            continue;
        stale ? void(stale_.insert(cluster)) : void(stale_.erase(cluster));
        log::line line(
            stale ? config::log_level::warning : config::log_level::info,
            stale ? "view_stale" : "view_fresh"
        );
        line.add("cluster", t.cluster).add("stale_after_ms", t.stale_after.count());
    }
}

} // namespace rolegate::proxy
