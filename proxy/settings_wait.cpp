// SPDX-License-Identifier: PostgreSQL
#include "proxy/settings_wait.hpp"

namespace rolegate::proxy
{

settings_wait::news settings_wait::look(
    std::optional<health::time_point> since, std::chrono::milliseconds usual, health::time_point now
)
{
    if (!since)
    {
        const bool was_told = told_.has_value();
        told_.reset();
        return was_told ? news::over : news::none;
    }
    // Others have come in their place, and have a time of their own.
    if (*since != since_)
        told_.reset();
    since_ = *since;
    if (now - since_ <= usual || (told_ && now - *told_ < every))
        return news::none;
    told_ = now;
    return news::waits;
}

} // namespace rolegate::proxy
