// SPDX-License-Identifier: PostgreSQL
//
// A thread of its own that writes lines to a descriptor, so that nobody waits for whoever reads
// them: a terminal that is stopped, a pipe that is full. Any thread may push.
//
// A process that forks must not log between fork and exec: the thread stays behind.
#pragma once

#include "proxy/log_queue.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace rolegate::proxy
{

class log_writer
{
public:
    // Of lines that wait, in bytes: some 20000 sessions' ends.
    static constexpr std::size_t usual_capacity = std::size_t{4} << 20;

    // `each_second` is called on the thread, and may push. It must not throw.
    log_writer(
        int fd, std::size_t capacity = usual_capacity, std::function<void()> each_second = [] {}
    );

    // What is not written yet is lost: flush() first.
    ~log_writer();
    log_writer(const log_writer&) = delete;
    log_writer& operator=(const log_writer&) = delete;

    // Whole lines, each with its end. False: there was no room.
    bool push(std::string line, bool important);

    // Waits until everything is written. False: the limit came first.
    bool flush(std::chrono::milliseconds limit);

    // Lines that had no room, or that the descriptor did not take.
    [[nodiscard]] std::uint64_t dropped() const;
    [[nodiscard]] bool has_room() const;

private:
    using time_point = std::chrono::steady_clock::time_point;

    void run();
    [[nodiscard]] bool write_all(std::string_view text);
    [[nodiscard]] bool wait_writable();
    [[nodiscard]] bool stopping() const;

    const int fd_;
    const std::function<void()> each_second_;

    mutable std::mutex mutex_;
    std::condition_variable filled_;
    std::condition_variable written_;
    log_queue queue_;
    bool writing_ = false;
    bool stopping_ = false;
    std::uint64_t refused_ = 0; // by the descriptor

    std::thread thread_; // last: it uses all of the above
};

} // namespace rolegate::proxy
