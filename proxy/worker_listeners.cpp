// SPDX-License-Identifier: PostgreSQL
//
// What a worker knows of the listeners: those that are configured now, and those by which some of
// its sessions still go.
#include "proxy/worker.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace rolegate::proxy
{

void worker::use(std::vector<listener_ptr> listeners)
{
    loop_.post([this, listeners = std::move(listeners)]() mutable
               { adopt_listeners(std::move(listeners)); });
}

void worker::adopt_listeners(std::vector<listener_ptr> listeners)
{
    for (const auto& l : listeners_)
        if (std::ranges::find(listeners, l) == listeners.end())
            replaced_.push_back(l);
    listeners_ = std::move(listeners);
    std::erase_if(replaced_, [](const auto& l) { return l.expired(); });
    const auto leave = [this](session& s)
    {
        if (!is_wanted(s))
            drain(s);
    };
    for_each_session(waiting_, leave);
    for_each_session(relaying_, leave);
    for (const auto& l : all_listeners())
        l->door.wake_head(); // there may be more places now, or others
}

// Before its first packet says which of those that share the bind takes it, one of them will do.
bool worker::is_wanted(const session& s) const
{
    const auto is_current = [this](const listener_state* l) { return current(l->id) != nullptr; };
    return s.is_undecided() ? std::ranges::any_of(s.listener().sharing, is_current)
                            : is_current(&s.listener());
}

// Its listener is gone: it may finish what it is at.
void worker::drain(session& s)
{
    s.leave_when_idle(
        errc::removed, std::chrono::steady_clock::now() + s.listener().settings.drain_deadline
    );
}

listener_ptr worker::current(std::size_t listener) const noexcept
{
    const auto found =
        std::ranges::find_if(listeners_, [listener](const auto& l) { return l->id == listener; });
    return found == listeners_.end() ? nullptr : *found;
}

// Those that hold now, and those by which some session still goes.
std::vector<listener_ptr> worker::all_listeners() const
{
    auto all = listeners_;
    for (const auto& r : replaced_)
        if (auto l = r.lock())
            all.push_back(std::move(l));
    return all;
}

} // namespace rolegate::proxy
