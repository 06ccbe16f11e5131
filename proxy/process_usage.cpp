// SPDX-License-Identifier: PostgreSQL
#include "proxy/process_usage.hpp"

#include <chrono>
#include <ctime>
#include <dirent.h>
#include <fstream>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rolegate::proxy
{

namespace
{

double seconds(const timeval& t)
{
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

// A walk over as many costs some tenths of a millisecond.
constexpr std::uint64_t few_fds = 1000;
constexpr auto remember_many_for = std::chrono::seconds(10);

std::optional<std::uint64_t> walk_open_fds()
{
    const auto close = [](DIR* d) { ::closedir(d); };
    const std::unique_ptr<DIR, decltype(close)> open(::opendir("/proc/self/fd"), close);
    if (!open)
        return std::nullopt;
    std::uint64_t entries = 0;
    while (::readdir(open.get()))
        ++entries;
    // ".", ".." and the directory itself.
    return entries > 3 ? entries - 3 : 0;
}

// Since 6.2 the kernel keeps count, and tells it as the directory's size; before it is 0. A walk
// over tens of thousands holds up whoever asks: what it has found is good for a while.
std::optional<std::uint64_t> count_open_fds()
{
    struct stat told
    {
    };
    if (::stat("/proc/self/fd", &told) == 0 && told.st_size > 0)
        return static_cast<std::uint64_t>(told.st_size);
    thread_local std::optional<std::uint64_t> many;
    thread_local std::chrono::steady_clock::time_point until{};
    const auto now = std::chrono::steady_clock::now();
    if (many && now < until)
        return many;
    const auto found = walk_open_fds();
    many = found && *found > few_fds ? found : std::nullopt;
    until = now + remember_many_for;
    return found;
}

std::optional<std::uint64_t> resident_bytes()
{
    std::uint64_t total = 0;
    std::uint64_t resident = 0; // pages; proc(5), statm
    if (!(std::ifstream("/proc/self/statm") >> total >> resident))
        return std::nullopt;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// Field 22 of proc(5), stat, is the start in ticks since the machine's. The second field is the
// program's name in brackets and may have blanks of its own.
std::optional<double> start_of_process()
{
    std::ifstream file("/proc/self/stat");
    std::string text;
    if (!std::getline(file, text))
        return std::nullopt;
    auto at = text.rfind(')');
    for (int field = 2; field < 22 && at != text.npos; ++field)
        at = text.find(' ', at + 1);
    timespec since_boot{};
    if (at == text.npos || ::clock_gettime(CLOCK_BOOTTIME, &since_boot) != 0)
        return std::nullopt;
    const double start =
        std::strtod(text.c_str() + at, nullptr) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    const double up =
        static_cast<double>(since_boot.tv_sec) + static_cast<double>(since_boot.tv_nsec) / 1e9;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count() - up + start;
}

} // namespace

process_usage usage_now()
{
    process_usage u;
    u.open_fds = count_open_fds();
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        u.max_fds = limit.rlim_cur;
    u.resident_bytes = resident_bytes();
    rusage used{};
    if (::getrusage(RUSAGE_SELF, &used) == 0)
        u.cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
    static const auto started = start_of_process(); // once: the clocks may drift apart
    u.started = started;
    return u;
}

} // namespace rolegate::proxy
