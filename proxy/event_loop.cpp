// SPDX-License-Identifier: PostgreSQL
#include "proxy/event_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <span>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <system_error>

namespace rolegate::proxy
{

namespace
{

namespace asio = boost::asio;

int checked(int fd, const char* what)
{
    if (fd < 0)
        throw std::system_error(errno, std::generic_category(), what);
    return fd;
}

// Given to Asio, which calls it with the handler that continues a coroutine.
struct start_alarm
{
    event_loop::alarm* what;
    event_loop::time_point when;

    template <class Handler> void operator()(Handler&& handler) const
    {
        what->call_at(when, completion(std::forward<Handler>(handler)));
    }
};

} // namespace

event_loop::event_loop()
    : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      work_(asio::make_work_guard(context_))
{
    listen_to(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"), wake_);
    const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    listen_to(checked(timer, "timerfd_create"), timer_);
}

// Told apart from all descriptors by its address.
void event_loop::listen_to(int fd, unique_fd& own)
{
    own.reset(fd);
    epoll_event e{EPOLLIN, {.ptr = &own}};
    checked(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &e), "epoll_ctl");
}

// A coroutine that waits for an alarm of its own owns itself through it.
event_loop::~event_loop()
{
    while (!alarms_.empty())
    {
        const auto dropped = std::move(alarms_.begin()->second->waits_);
        alarms_.erase(alarms_.begin());
    }
    resumed_.clear();
}

void event_loop::wake() noexcept
{
    // Fails when 2^64 - 1 wakes are pending: then it is awake.
    static_cast<void>(::eventfd_write(wake_.get(), 1));
}

void event_loop::stop()
{
    stopped_ = true;
    wake();
}

void event_loop::run()
{
    while (!stopped_)
    {
        // What the last turn has not told because somebody threw is told first.
        if (next_ == count_)
            wait_for_events();
        // What others have posted may be news of a lost role: before any byte that came behind it.
        run_posted();
        while (next_ < count_)
        {
            const auto e = reported_[static_cast<std::size_t>(next_++)];
            if (auto* d = static_cast<descriptor*>(e.data.ptr))
                d->on_ready(e.events);
        }
        if (std::exchange(timer_rang_, false))
            ring_alarms();
        // A coroutine that has returned is finished before anything else becomes of its session.
        run_posted();
        run_deferred();
        run_posted();
        set_timer();
    }
}

void event_loop::run_posted()
{
    // Asked only when there may be something: a look costs two locks.
    if (!posted_)
        return;
    resumed_.run();
    context_.poll(); // until its queue is empty
    posted_ = !resumed_.empty();
}

void event_loop::resume(completion& who, boost::system::error_code with)
{
    posted_ = true; // what a coroutine leads to is queued
    who(with);
}

void event_loop::resume_later(completion who, boost::system::error_code with) noexcept
{
    posted_ = true;
    resumed_.push(std::move(who), with);
}

// --- descriptors -------------------------------------------------------------------------------

bool event_loop::want(descriptor& d, int fd, std::uint32_t events) noexcept
{
    if (d.asked == events)
        return true;
    const int how = events == 0 ? EPOLL_CTL_DEL : d.asked == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    epoll_event e{events, {.ptr = &d}};
    if (::epoll_ctl(epoll_.get(), how, fd, &e) != 0)
        return false;
    d.asked = events;
    return true;
}

void event_loop::forget(descriptor& d, int fd) noexcept
{
    if (d.asked != 0)
        static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr));
    forget_closed(d);
}

void event_loop::forget_closed(descriptor& d) noexcept
{
    d.asked = 0;
    for (auto i = next_; i < count_; ++i)
        if (auto& e = reported_[static_cast<std::size_t>(i)]; e.data.ptr == &d)
            e.data.ptr = nullptr;
}

void event_loop::wait_for_events()
{
    next_ = count_ = 0;
    const auto size = static_cast<int>(reported_.size());
    // Somebody who threw has left something undone in the queue.
    const int patience = deferred_.empty() && !posted_ ? -1 : 0;
    const int n = ::epoll_wait(epoll_.get(), reported_.data(), size, patience);
    count_ = std::max(n, 0); // EINTR
    for (auto& e : std::span(reported_).first(static_cast<std::size_t>(count_)))
        if (e.data.ptr == &wake_)
        {
            eventfd_t ignored = 0;
            static_cast<void>(::eventfd_read(wake_.get(), &ignored));
            posted_ = true;
            e.data.ptr = nullptr;
        }
        else if (e.data.ptr == &timer_)
        {
            timer_rang_ = true;
            e.data.ptr = nullptr;
        }
}

// --- time --------------------------------------------------------------------------------------

void event_loop::ring_alarms()
{
    timer_set_to_ = time_point::min(); // it rings until it is set anew
    const auto now = std::chrono::steady_clock::now();
    while (!alarms_.empty() && alarms_.begin()->first <= now)
    {
        auto& due = *alarms_.begin()->second;
        alarms_.erase(due.place_);
        resume(due.waits_, {}); // whom it wakes may destroy it
    }
}

void event_loop::set_timer()
{
    const auto first = alarms_.empty() ? time_point::max() : alarms_.begin()->first;
    if (first == timer_set_to_)
        return;
    timer_set_to_ = first;
    itimerspec when{};
    if (first != time_point::max())
    {
        // What is due already would be 0 or less, which means never.
        const auto at = std::max(first.time_since_epoch(), time_point::duration(1));
        const auto s = std::chrono::floor<std::chrono::seconds>(at);
        when.it_value = {s.count(), std::chrono::nanoseconds(at - s).count()};
    }
    static_cast<void>(::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr));
}

event_loop::alarm::~alarm()
{
    if (waits_)
        loop_.alarms_.erase(place_);
}

void event_loop::alarm::call_at(time_point when, completion then)
{
    place_ = loop_.alarms_.emplace(when, this);
    waits_ = std::move(then);
}

asio::awaitable<void> event_loop::alarm::wait_until(time_point when)
{
    co_await asio::async_initiate<decltype(nothrow), void(boost::system::error_code)>(
        start_alarm{this, when}, nothrow
    );
}

void event_loop::alarm::cancel()
{
    if (!waits_)
        return;
    loop_.alarms_.erase(place_);
    loop_.resume_later(std::move(waits_), {});
}

// --- the next turn -----------------------------------------------------------------------------

void event_loop::defer(deferred& d)
{
    if (!d.is_linked())
        deferred_.push_back(d);
}

void event_loop::run_deferred()
{
    if (deferred_.empty())
        return;
    posted_ = true;
    // Those who defer themselves again wait for the turn after this one.
    deferred_list now;
    now.swap(deferred_);
    while (!now.empty())
    {
        auto& d = now.front();
        now.pop_front();
        try
        {
            d.on_turn();
        }
        catch (...)
        {
            deferred_.splice(deferred_.begin(), now);
            throw;
        }
    }
}

} // namespace rolegate::proxy
