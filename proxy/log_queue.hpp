// SPDX-License-Identifier: PostgreSQL
//
// Lines that wait to be written. Bounded: what has no room is counted and forgotten, and the last
// quarter of the room is for warnings and errors. Pure; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace rolegate::proxy
{

class log_queue
{
public:
    explicit log_queue(std::size_t capacity) noexcept : capacity_(capacity) {} // bytes

    // False: there is no room, and the line is lost.
    bool push(std::string line, bool important);

    // As many whole lines as fit into so many bytes, but at least one. Empty: there is none.
    [[nodiscard]] std::string take(std::size_t most);

    [[nodiscard]] bool empty() const noexcept { return lines_.empty(); }

    // For any line, with room to spare.
    [[nodiscard]] bool has_room() const noexcept { return bytes_ < capacity_ / 2; }

    [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; } // ever

private:
    std::size_t capacity_;
    std::size_t bytes_ = 0; // of what waits, with what each line costs beside its text
    std::uint64_t dropped_ = 0;
    std::deque<std::string> lines_;
};

} // namespace rolegate::proxy
