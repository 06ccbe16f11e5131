// SPDX-License-Identifier: PostgreSQL
//
// What the program writes to its log while this lives; then it goes where it would have gone.
#pragma once

#include <cstdio>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace rolegate::support
{

class captured_log
{
public:
    captured_log() : file_(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC | O_APPEND, 0600))
    {
        if (file_ < 0)
            throw std::system_error(errno, std::generic_category(), "O_TMPFILE");
        stderr_ = ::dup(STDERR_FILENO);
        ::dup2(file_, STDERR_FILENO);
    }
    ~captured_log()
    {
        const auto written = text();
        ::dup2(stderr_, STDERR_FILENO);
        ::close(stderr_);
        ::close(file_);
        std::fwrite(written.data(), 1, written.size(), stderr);
    }
    captured_log(const captured_log&) = delete;
    captured_log& operator=(const captured_log&) = delete;

    [[nodiscard]] std::string text() const
    {
        struct ::stat now
        {
        };
        ::fstat(file_, &now);
        std::string out(static_cast<std::size_t>(now.st_size), '\0');
        const auto n = ::pread(file_, out.data(), out.size(), 0);
        out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return out;
    }

    [[nodiscard]] std::size_t count(const std::string& what) const
    {
        const auto all = text();
        std::size_t n = 0;
        for (auto at = all.find(what); at != all.npos; at = all.find(what, at + what.size()))
            ++n;
        return n;
    }

private:
    int file_;
    int stderr_ = -1;
};

} // namespace rolegate::support
