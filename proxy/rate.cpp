// SPDX-License-Identifier: PostgreSQL
#include "proxy/rate.hpp"

#include <algorithm>

namespace rolegate::proxy
{

using namespace std::chrono_literals;

void rate::note(time_point now) noexcept
{
    if (const auto passed = now - second_; passed >= 1s)
    {
        before_ = passed < 2s ? current_ : 0;
        current_ = 0;
        second_ = passed < 2s ? second_ + 1s : now;
    }
    ++current_;
    most_ = std::max(most_, per_second(now));
}

std::size_t rate::per_second(time_point now) const noexcept
{
    const auto passed = std::max<time_point::duration>(now - second_, 0s);
    const auto part_of = [](std::size_t count, time_point::duration left)
    {
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
        return count * static_cast<std::size_t>(ms) / 1000;
    };
    if (passed < 1s)
        return current_ + part_of(before_, 1s - passed);
    return passed < 2s ? part_of(current_, 2s - passed) : 0;
}

} // namespace rolegate::proxy
