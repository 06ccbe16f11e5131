// SPDX-License-Identifier: PostgreSQL
#include "proxy/hold.hpp"

#include <utility>

namespace rolegate::proxy
{

bool hold::room::is_full(std::string_view member, std::optional<std::size_t> maxconn) const
{
    const auto m = door_.members_.find(member);
    const auto there = m == door_.members_.end() ? places{} : m->second;
    const bool full =
        (maxconn && there.sessions >= *maxconn) || there.connecting >= max_connects_per_member;
    somebody_full_ |= full;
    return full;
}

std::size_t hold::room::sessions(std::string_view member) const
{
    const auto m = door_.members_.find(member);
    return m == door_.members_.end() ? 0 : m->second.sessions;
}

hold::hold(door_limits limits, wake_function wake) : limits_(limits), wake_(std::move(wake)) {}

void hold::wake_head()
{
    wake_first(lock(mutex_));
}

void hold::pause()
{
    const lock held_lock(mutex_);
    paused_ = true;
}

void hold::resume()
{
    lock held_lock(mutex_);
    paused_ = false;
    wake_first(std::move(held_lock));
}

bool hold::paused() const
{
    const lock held_lock(mutex_);
    return paused_;
}

hold::turn hold::waits_for() const
{
    const lock held_lock(mutex_);
    return paused_ ? turn::paused : waits_for_;
}

// --- under the lock ----------------------------------------------------------------------------

hold::turn hold::try_enter(visit& v, const choose_function& choose)
{
    if (paused_)
        return turn::paused;
    if (!waiting_.empty() && waiting_.begin()->first < v.ticket_)
        return turn::behind;
    if (limits_.maxconn && sessions_ >= *limits_.maxconn)
        return waits_for_ = turn::full;
    const room now(*this);
    const auto member = choose(now);
    if (member.empty())
        return waits_for_ = now.somebody_full_ ? turn::full : turn::no_member;
    take_places(v, member);
    return turn::entered;
}

void hold::take_places(visit& v, std::string_view member)
{
    auto m = members_.find(member);
    if (m == members_.end())
        m = members_.try_emplace(std::string(member)).first;
    ++m->second.sessions;
    ++m->second.connecting;
    ++sessions_;
    forget_waiting(v);
    v.member_ = m;
    v.where_ = visit::where::connecting;
}

// False: it had none.
bool hold::free_places(visit& v) noexcept
{
    using where = visit::where;
    if (v.where_ != where::connecting && v.where_ != where::connected)
        return false;
    auto& p = v.member_->second;
    p.connecting -= v.where_ == where::connecting ? 1U : 0U;
    if (--p.sessions == 0)
        members_.erase(v.member_);
    --sessions_;
    v.where_ = where::outside;
    return true;
}

void hold::forget_waiting(visit& v) noexcept
{
    if (v.where_ != visit::where::waiting)
        return;
    waiting_.erase(v.ticket_);
    held_ = waiting_.size();
    v.where_ = visit::where::outside;
}

// The last that is done with the lock. One at a time is woken: it wakes the next when it goes in,
// and when it goes away. `except` has just tried.
void hold::wake_first(lock held_lock, ticket except)
{
    if (paused_ || waiting_.empty() || waiting_.begin()->first == except)
        return;
    const auto [first, worker] = *waiting_.begin();
    held_lock.unlock();
    wake_(worker, first);
}

// --- a visit -----------------------------------------------------------------------------------

hold::visit::visit(hold& door, std::size_t worker) noexcept
    : door_(door), worker_(static_cast<std::uint32_t>(worker))
{
}

hold::turn hold::visit::enter(const choose_function& choose)
{
    lock held_lock(door_.mutex_);
    const bool is_new = ticket_ == 0;
    if (is_new)
        ticket_ = ++door_.drawn_;
    // Free for itself as well: with maxconn 1 it would else stand in its own way.
    const bool freed = door_.free_places(*this);
    const auto answer = door_.try_enter(*this, choose);
    if (where_ == where::outside)
    {
        if (is_new && door_.waiting_.size() >= door_.limits_.max_held)
        {
            ticket_ = 0;
            return turn::queue_full;
        }
        door_.waiting_.emplace(ticket_, worker_);
        door_.held_ = door_.waiting_.size();
        where_ = where::waiting;
    }
    if (freed || answer == turn::entered)
        door_.wake_first(std::move(held_lock), ticket_);
    return answer;
}

void hold::visit::connected()
{
    lock held_lock(door_.mutex_);
    if (where_ != where::connecting)
        return;
    where_ = where::connected;
    --member_->second.connecting;
    door_.wake_first(std::move(held_lock));
}

void hold::visit::leave() noexcept
{
    if (ticket_ == 0)
        return;
    lock held_lock(door_.mutex_);
    const bool changes_nothing =
        where_ == where::waiting && door_.waiting_.begin()->first != ticket_;
    door_.free_places(*this);
    door_.forget_waiting(*this);
    ticket_ = 0;
    if (!changes_nothing)
        door_.wake_first(std::move(held_lock));
}

std::string_view hold::visit::member() const noexcept
{
    const bool inside = where_ == where::connecting || where_ == where::connected;
    return inside ? std::string_view(member_->first) : std::string_view();
}

} // namespace rolegate::proxy
