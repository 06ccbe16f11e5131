// SPDX-License-Identifier: PostgreSQL
//
// What the process has of the machine now, under the names that every Prometheus exporter uses.
#pragma once

#include <cstdint>
#include <optional>

namespace rolegate::proxy
{

struct process_usage
{
    std::optional<std::uint64_t> open_fds; // each unset where /proc does not tell
    std::optional<std::uint64_t> max_fds;  // unset also where there is no limit
    std::optional<std::uint64_t> resident_bytes;
    double cpu_seconds = 0;        // user and system, all threads
    std::optional<double> started; // seconds of the epoch
};

// Costs a few system calls: meant for a scrape. Where the kernel does not keep count of open
// descriptors (before 6.2) and they are many, their number is up to ten seconds old.
[[nodiscard]] process_usage usage_now();

} // namespace rolegate::proxy
