// SPDX-License-Identifier: PostgreSQL
#include "proxy/log_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <utility>

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

namespace rolegate::proxy
{

namespace
{

using namespace std::chrono_literals;

// A pipe that is writable takes this much without waiting, and in one piece.
constexpr std::size_t chunk = PIPE_BUF;

// How long the thread does not look whether it is to end, ms.
constexpr int look_again = 100;

} // namespace

log_writer::log_writer(int fd, std::size_t capacity, std::function<void()> each_second)
    : fd_(fd), each_second_(std::move(each_second)), queue_(capacity)
{
    // Signals are other threads' business.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_setname_np(thread_.native_handle(), "log");
}

log_writer::~log_writer()
{
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    filled_.notify_one();
    thread_.join();
}

bool log_writer::push(std::string line, bool important)
{
    bool first = false;
    bool taken = false;
    {
        const std::lock_guard lock(mutex_);
        first = queue_.empty() && !writing_;
        taken = queue_.push(std::move(line), important);
    }
    if (first)
        filled_.notify_one();
    return taken;
}

bool log_writer::flush(std::chrono::milliseconds limit)
{
    std::unique_lock lock(mutex_);
    return written_.wait_for(lock, limit, [this] { return queue_.empty() && !writing_; });
}

std::uint64_t log_writer::dropped() const
{
    const std::lock_guard lock(mutex_);
    return queue_.dropped() + refused_;
}

bool log_writer::has_room() const
{
    const std::lock_guard lock(mutex_);
    return queue_.has_room();
}

bool log_writer::stopping() const
{
    const std::lock_guard lock(mutex_);
    return stopping_;
}

// --- the thread --------------------------------------------------------------------------------

void log_writer::run()
{
    auto next_second = std::chrono::steady_clock::now() + 1s;
    std::unique_lock lock(mutex_);
    while (!stopping_)
    {
        filled_.wait_until(lock, next_second, [this] { return stopping_ || !queue_.empty(); });
        const auto batch = queue_.take(chunk);
        writing_ = !batch.empty();
        lock.unlock();
        const bool good = batch.empty() || write_all(batch);
        if (const auto now = std::chrono::steady_clock::now(); now >= next_second)
        {
            each_second_();
            next_second = now + 1s;
        }
        lock.lock();
        writing_ = false;
        if (!good)
            refused_ += static_cast<std::uint64_t>(std::ranges::count(batch, '\n'));
        if (queue_.empty())
            written_.notify_all();
    }
}

// In pieces that a writable descriptor takes at once, so that the thread can always end.
bool log_writer::write_all(std::string_view text)
{
    while (!text.empty())
    {
        if (!wait_writable())
            return false;
        const auto n = ::write(fd_, text.data(), std::min(text.size(), chunk));
        if (n >= 0)
            text.remove_prefix(static_cast<std::size_t>(n));
        else if (errno != EAGAIN && errno != EINTR)
            return false; // nobody reads any more, or the disk is full
    }
    return true;
}

bool log_writer::wait_writable()
{
    for (;;)
    {
        pollfd p{fd_, POLLOUT, 0};
        const int n = ::poll(&p, 1, look_again);
        if (n > 0)
            return true; // or an error, which write() names
        if ((n < 0 && errno != EINTR) || stopping())
            return false;
    }
}

} // namespace rolegate::proxy
