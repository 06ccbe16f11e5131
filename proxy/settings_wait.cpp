// SPDX-License-Identifier: PostgreSQL
#include "proxy/settings_wait.hpp"

#include <utility>

namespace rolegate::proxy
{

settings_wait::news settings_wait::look(
    std::optional<health::time_point> since, std::chrono::milliseconds usual, health::time_point now
)
{
    if (!since)
    {
        told_.reset();
        return std::exchange(open_, false) ? news::over : news::none;
    }
    // Others have come in their place, and have a time of their own.
    if (*since != since_)
        told_.reset();
    since_ = *since;
    if (now - since_ <= usual || (told_ && now - *told_ < every))
        return news::none;
    told_ = now;
    open_ = true;
    return news::waits;
}

} // namespace rolegate::proxy
