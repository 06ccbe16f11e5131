// SPDX-License-Identifier: PostgreSQL
//
// What a worker's thread waits for: descriptors, points in time, and what others ask of it.
//
// Asio runs the coroutines and the posted calls; the waiting is ours. Asio asks the kernel anew for
// each wait for readiness (one epoll_ctl and one allocation a message, 350 bytes a socket); here a
// descriptor stays registered, level-triggered, while one waits for the same again and again.
//
// All but post() and stop() belongs to the thread of run().
#pragma once

#include "proxy/completion.hpp"
#include "proxy/unique_fd.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/intrusive/list.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>

#include <sys/epoll.h>

namespace rolegate::proxy
{

class event_loop
{
public:
    using time_point = std::chrono::steady_clock::time_point;
    using executor = boost::asio::io_context::executor_type;

    // One who is told of a descriptor. Must have been forgotten before it goes.
    class descriptor
    {
    public:
        // EPOLLIN, EPOLLOUT as asked for, or EPOLLERR, EPOLLHUP. May destroy anybody, also itself.
        virtual void on_ready(std::uint32_t events) = 0;

        std::uint32_t asked = 0; // the loop's: what the kernel has been asked for

    protected:
        ~descriptor() = default;
    };

    // One who wants to go on in the loop's next turn. Gone from the list when it is destroyed.
    class deferred : public boost::intrusive::list_base_hook<
                         boost::intrusive::link_mode<boost::intrusive::auto_unlink>>
    {
    public:
        // May destroy anybody, also itself.
        virtual void on_turn() = 0;

    protected:
        ~deferred() = default;
    };

    // One point in time, for one who waits for it.
    class alarm
    {
    public:
        explicit alarm(event_loop& loop) noexcept : loop_(loop) {}
        ~alarm();
        alarm(const alarm&) = delete;
        alarm& operator=(const alarm&) = delete;

        // Until then, or until cancel(). Nobody else may be waiting.
        [[nodiscard]] boost::asio::awaitable<void> wait_until(time_point when);

        // The same for who is no coroutine.
        void call_at(time_point when, completion then);

        // Whoever waits goes on, in the loop's next turn.
        void cancel();

    private:
        friend event_loop;
        using place = std::multimap<time_point, alarm*>::iterator;

        event_loop& loop_;
        place place_;
        completion waits_;
    };

    event_loop(); // throws std::system_error when the kernel has no descriptors left
    ~event_loop();
    event_loop(const event_loop&) = delete;
    event_loop& operator=(const event_loop&) = delete;

    // --- from any thread ---

    template <class Call> void post(Call&& call)
    {
        boost::asio::post(context_, std::forward<Call>(call));
        wake();
    }

    // Until then run() goes on; the turn under way is finished.
    void stop();

    // --- on the loop's thread ---

    // What a call throws comes out here; the loop may be run again, and the others are not lost.
    void run();

    // Whoever asks is about to queue something.
    [[nodiscard]] executor get_executor() noexcept
    {
        posted_ = true;
        return context_.get_executor();
    }

    // Tell `d` of these events of `fd` from now on, as long as they last. 0: of none, and the
    // kernel forgets the descriptor, for it reports a hangup whether asked or not. False: the
    // kernel has no room for one more.
    [[nodiscard]] bool want(descriptor& d, int fd, std::uint32_t events) noexcept;

    // `d` is not told any more, not even of what has been reported already.
    void forget(descriptor& d, int fd) noexcept;

    // The same when its descriptor is about to be closed: the kernel forgets it by itself.
    void forget_closed(descriptor& d) noexcept;

    void defer(deferred& d);

    // Goes on with whoever waits.
    void resume(completion& who, boost::system::error_code with);

    // The same in the next turn, so that nobody is called from within their own call.
    void resume_later(completion who, boost::system::error_code with) noexcept;

private:
    using deferred_list =
        boost::intrusive::list<deferred, boost::intrusive::constant_time_size<false>>;

    void wake() noexcept;
    void listen_to(int fd, unique_fd& own);
    void wait_for_events();
    void run_posted();
    void ring_alarms();
    void set_timer();
    void run_deferred();

    unique_fd epoll_;
    unique_fd wake_;  // eventfd: another thread has posted something
    unique_fd timer_; // timerfd, set to the first alarm: cheaper than a time-out of epoll_wait,
                      // which the kernel starts and cancels for every message
    completion_queue resumed_;
    deferred_list deferred_;
    std::multimap<time_point, alarm*> alarms_;
    time_point timer_set_to_ = time_point::max(); // max: to nothing
    bool timer_rang_ = false;
    bool posted_ = true;                     // something may be in the context's queue
    std::array<epoll_event, 64> reported_{}; // the turn's: [next_, count_) are still to be told
    int next_ = 0;
    int count_ = 0;
    std::atomic<bool> stopped_ = false;

    // Last, for what still waits in it refers to all of the above.
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<executor> work_;
};

} // namespace rolegate::proxy
