// SPDX-License-Identifier: PostgreSQL
#include "proxy/buffer_pool.hpp"

#include <utility>

namespace rolegate::proxy
{

buffer_pool::buffer buffer_pool::park()
{
    buffer fresh;
    if (spare_.empty())
        fresh = make();
    else
    {
        fresh = std::move(spare_.back());
        spare_.pop_back();
    }
    ++parked_;
    return std::exchange(scratch_, std::move(fresh));
}

void buffer_pool::give_back(buffer b)
{
    if (!b)
        return;
    --parked_;
    if (spare_.size() < max_spare)
        spare_.push_back(std::move(b));
}

} // namespace rolegate::proxy
