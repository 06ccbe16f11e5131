// SPDX-License-Identifier: PostgreSQL
#include "proxy/hold.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace rolegate::proxy
{

// One visit's step: what led to it, and what it leaves to be done.
struct hold::step
{
    void wake(const std::optional<waiting_line::waiter>& w)
    {
        const auto is_same = [&w](const auto& other) { return other.number == w->number; };
        if (w && std::none_of(whom.begin(), whom.begin() + n, is_same))
            whom[n++] = *w;
    }

    std::array<waiting_line::waiter, 5> whom; // one for each place that calls wake() in a step
    std::size_t n = 0;
    ticket visitor = 0;
    std::size_t cluster = 0;    // whose members it may go to
    std::string waited_for;     // aside, before this step; "": in the one line, or not at all
    std::string_view aside_for; // from now on
    bool somebody_full = false;
};

taken_places hold::room::on(std::string_view member) const
{
    const auto m = door_.members_.find(std::pair(step_.cluster, member));
    return m == door_.members_.end() ? taken_places{} : m->second;
}

bool hold::room::is_full(std::string_view member, std::optional<std::size_t> maxconn) const
{
    const auto there = on(member);
    const bool full = (maxconn && there.sessions >= *maxconn) ||
                      there.connecting >= max_connects_per_member ||
                      door_.waiting_.is_behind(step_.visitor, {step_.cluster, member});
    step_.somebody_full |= full;
    return full;
}

std::size_t hold::room::sessions(std::string_view member) const
{
    return on(member).sessions;
}

bool hold::room::may_wait_for(std::string_view member, std::size_t most) const
{
    if (!step_.waited_for.empty() && step_.waited_for != member)
        return false;
    return most == 0 || door_.waiting_.waiting_for({step_.cluster, member}) < most;
}

void hold::room::wait_for(std::string_view member) const
{
    step_.aside_for = member;
}

hold::hold(door_limits limits, wake_function wake) : wake_(std::move(wake)), limits_(limits) {}

void hold::wake_head()
{
    lock held_lock(mutex_);
    waiting_.recall();
    step s;
    wake(std::move(held_lock), s);
}

void hold::set_limits(door_limits limits)
{
    const lock held_lock(mutex_);
    limits_ = limits;
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
    waiting_.recall(); // places have become free meanwhile
    step s;
    wake(std::move(held_lock), s);
}

bool hold::paused() const
{
    const lock held_lock(mutex_);
    return paused_;
}

std::map<std::string, std::size_t, std::less<>> hold::sessions_by_member(std::size_t cluster) const
{
    const lock held_lock(mutex_);
    std::map<std::string, std::size_t, std::less<>> all;
    for (const auto& [member, there] : members_)
        if (member.first == cluster)
            all.emplace(member.second, there.sessions);
    return all;
}

// --- under the lock ----------------------------------------------------------------------------

hold::turn hold::try_enter(visit& v, const choose_function& choose, step& s)
{
    if (paused_)
        return turn::paused;
    if (waiting_.is_behind(v.ticket_))
        return turn::behind;
    if (limits_.maxconn && sessions_ >= *limits_.maxconn)
        return waits_for_ = turn::full;
    s.visitor = v.ticket_;
    const auto member = choose(room(*this, s));
    if (member.empty() && !s.aside_for.empty())
        return turn::full;
    if (member.empty())
        return waits_for_ = s.somebody_full ? turn::full : turn::no_member;
    s.aside_for = {};
    take_places(v, member, s);
    return turn::entered;
}

void hold::take_places(visit& v, std::string_view member, step& s)
{
    auto m = members_.find(std::pair(s.cluster, member));
    if (m == members_.end())
        m = members_.try_emplace({s.cluster, std::string(member)}).first;
    ++m->second.sessions;
    ++m->second.connecting;
    ++sessions_;
    forget_waiting(v, s);
    s.wake(waiting_.first_for({s.cluster, member})); // there may be another place
    v.member_ = m;
    v.where_ = visit::where::connecting;
}

// False: it had none.
bool hold::free_places(visit& v, step& s) noexcept
{
    using where = visit::where;
    if (v.where_ != where::connecting && v.where_ != where::connected)
        return false;
    s.wake(waiting_.first_for(v.member_->first));
    auto& p = v.member_->second;
    p.connecting -= v.where_ == where::connecting ? 1U : 0U;
    if (--p.sessions == 0)
        members_.erase(v.member_);
    --sessions_;
    v.where_ = where::outside;
    return true;
}

void hold::forget_waiting(visit& v, step& s) noexcept
{
    if (v.where_ != visit::where::waiting)
        return;
    s.wake(waiting_.leave(v.ticket_));
    held_ = waiting_.size();
    v.where_ = visit::where::outside;
}

// The last that is done with the lock. Of each line one at a time is woken: it wakes the next when
// it goes in, aside, or away. `except` has just tried.
void hold::wake(lock held_lock, step& s, ticket except)
{
    if (paused_)
        return;
    if (const auto first = waiting_.first(); first && first->number != except)
        s.wake(first);
    held_lock.unlock();
    for (const auto& w : std::span(s.whom).first(s.n))
        wake_(w.worker, w.number);
}

// --- a visit -----------------------------------------------------------------------------------

hold::visit::visit(hold& door, std::size_t worker) noexcept
    : door_(&door), worker_(static_cast<std::uint32_t>(worker))
{
}

hold::turn hold::visit::enter(const choose_function& choose, std::size_t cluster)
{
    lock held_lock(door_->mutex_);
    const bool is_new = ticket_ == 0;
    if (is_new)
        ticket_ = ++door_->drawn_;
    // Free for itself as well: with maxconn 1 it would else stand in its own way.
    step s;
    s.cluster = cluster;
    const bool freed = door_->free_places(*this, s);
    std::optional<waiting_line::waiter> moved_up;
    if (where_ == where::waiting)
    {
        const auto aside = door_->waiting_.aside_for(ticket_);
        s.waited_for = aside.first == cluster ? aside.second : std::string_view();
        moved_up = door_->waiting_.join({ticket_, worker_});
    }
    const auto answer = door_->try_enter(*this, choose, s);
    if (where_ == where::outside)
    {
        if (is_new && door_->waiting_.size() >= door_->limits_.max_held)
        {
            ticket_ = 0;
            return turn::queue_full;
        }
        door_->waiting_.join({ticket_, worker_});
        door_->held_ = door_->waiting_.size();
        where_ = where::waiting;
    }
    if (!s.aside_for.empty())
        door_->waiting_.stand_aside(ticket_, {s.cluster, s.aside_for});
    // The wake that brought it here was for a place on the member that it wanted before.
    const bool passes_on = moved_up && door_->waiting_.is_first_aside(moved_up->number);
    if (passes_on)
        s.wake(moved_up);
    if (freed || passes_on || answer == turn::entered || !s.aside_for.empty())
        door_->wake(std::move(held_lock), s, ticket_);
    return answer;
}

void hold::visit::connected()
{
    lock held_lock(door_->mutex_);
    if (where_ != where::connecting)
        return;
    where_ = where::connected;
    --member_->second.connecting;
    step s;
    s.wake(door_->waiting_.first_for(member_->first));
    door_->wake(std::move(held_lock), s);
}

void hold::visit::leave() noexcept
{
    if (ticket_ == 0)
        return;
    lock held_lock(door_->mutex_);
    const auto& line = door_->waiting_;
    const bool changes_nothing =
        where_ == where::waiting && line.is_behind(ticket_) && !line.is_aside(ticket_);
    step s;
    door_->free_places(*this, s);
    door_->forget_waiting(*this, s);
    ticket_ = 0;
    if (!changes_nothing)
        door_->wake(std::move(held_lock), s);
}

void hold::visit::move_to(hold& door) noexcept
{
    leave();
    door_ = &door;
}

hold::turn hold::visit::waits_for() const
{
    const lock held_lock(door_->mutex_);
    if (!door_->paused_ && door_->waiting_.is_aside(ticket_))
        return turn::full;
    return door_->paused_ ? turn::paused : door_->waits_for_;
}

std::string_view hold::visit::member() const noexcept
{
    const bool inside = where_ == where::connecting || where_ == where::connected;
    return inside ? std::string_view(member_->first.second) : std::string_view();
}

} // namespace rolegate::proxy
