// SPDX-License-Identifier: PostgreSQL
#include "tests/support/run_until.hpp"

#include <cstdlib>
#include <poll.h>

namespace rolegate::support
{

std::chrono::milliseconds scaled(std::chrono::milliseconds limit)
{
    static const double scale = []
    {
        const char* text = std::getenv("ROLEGATE_TEST_TIMEOUT_SCALE");
        const double value = text ? std::atof(text) : 1;
        return value > 0 ? value : 1;
    }();
    return std::chrono::milliseconds(
        static_cast<std::int64_t>(static_cast<double>(limit.count()) * scale)
    );
}

bool run_until(const std::function<bool()>& predicate, std::chrono::milliseconds limit)
{
    const auto end = std::chrono::steady_clock::now() + scaled(limit);
    while (!predicate())
    {
        if (std::chrono::steady_clock::now() >= end)
            return predicate();
        ::poll(nullptr, 0, 1);
    }
    return true;
}

} // namespace rolegate::support
