// SPDX-License-Identifier: PostgreSQL
#include "proxy/log_queue.hpp"

#include <utility>

namespace rolegate::proxy
{

namespace
{

std::size_t cost(const std::string& line)
{
    return sizeof(std::string) + line.size();
}

} // namespace

bool log_queue::push(std::string line, bool important)
{
    const auto room = important ? capacity_ : capacity_ - capacity_ / 4;
    if (bytes_ + cost(line) > room)
    {
        ++dropped_;
        return false;
    }
    bytes_ += cost(line);
    lines_.push_back(std::move(line));
    return true;
}

std::string log_queue::take(std::size_t most)
{
    std::string taken;
    while (!lines_.empty() && (taken.empty() || taken.size() + lines_.front().size() <= most))
    {
        bytes_ -= cost(lines_.front());
        if (taken.empty())
            taken = std::move(lines_.front());
        else
            taken += lines_.front();
        lines_.pop_front();
    }
    return taken;
}

} // namespace rolegate::proxy
