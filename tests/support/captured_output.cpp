// SPDX-License-Identifier: PostgreSQL
#include "tests/support/captured_output.hpp"

#include "tests/support/run_until.hpp"

#include <cerrno>
#include <iostream>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>

namespace rolegate::support
{

captured_output::captured_output()
    : kept_(::dup(STDERR_FILENO)), file_(::memfd_create("output", MFD_CLOEXEC))
{
    if (kept_ < 0 || file_ < 0 || ::dup2(file_, STDERR_FILENO) < 0)
        throw std::system_error(errno, std::generic_category(), "captured_output");
}

captured_output::~captured_output()
{
    const auto written = text();
    ::dup2(kept_, STDERR_FILENO);
    std::cerr << written;
    ::close(kept_);
    ::close(file_);
}

std::string captured_output::text() const
{
    std::string all(1 << 20, '\0');
    const auto n = ::pread(file_, all.data(), all.size(), 0);
    all.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return all;
}

bool captured_output::has(const std::string& words) const
{
    return run_until([&] { return text().find(words) != std::string::npos; });
}

} // namespace rolegate::support
