// SPDX-License-Identifier: PostgreSQL
#include "proxy/standstill.hpp"

#include <condition_variable>
#include <mutex>
#include <stdexcept>

namespace rolegate::proxy
{

struct standstill::agreement
{
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t standing = 0;
    bool over = false;
};

standstill::standstill(const std::vector<event_loop*>& loops, std::chrono::milliseconds limit)
    : with_(std::make_shared<agreement>())
{
    for (auto* loop : loops)
        loop->post(
            [with = with_]
            {
                std::unique_lock lock(with->mutex);
                ++with->standing;
                with->changed.notify_all();
                with->changed.wait(lock, [&with] { return with->over; });
            }
        );
    std::unique_lock lock(with_->mutex);
    const auto all = [&] { return with_->standing == loops.size(); };
    if (with_->changed.wait_for(lock, limit, all))
        return;
    lock.unlock();
    end(); // no destructor will
    throw std::runtime_error("a worker does not answer");
}

standstill::~standstill()
{
    end();
}

void standstill::end() noexcept
{
    {
        const std::lock_guard lock(with_->mutex);
        with_->over = true;
    }
    with_->changed.notify_all();
}

} // namespace rolegate::proxy
