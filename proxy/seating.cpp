// SPDX-License-Identifier: PostgreSQL
#include "proxy/seating.hpp"

#include <algorithm>

namespace rolegate::proxy
{

seat_ptr seating::take(const demand& d)
{
    while (!places_.empty() && places_.back().taken.expired())
        places_.pop_back();
    auto free = places_.end();
    for (auto p = places_.begin(); p != places_.end(); ++p)
    {
        auto taken = p->taken.lock();
        if (taken && p->what == d)
            return taken;
        if (!taken && free == places_.end())
            free = p;
    }
    if (free == places_.end())
        free = places_.emplace(free);
    const auto index = static_cast<std::size_t>(free - places_.begin());
    const auto made = std::make_shared<const seat>(seat{cluster_, index});
    *free = {d, made};
    return made;
}

std::vector<seating::demand> seating::demands() const
{
    std::vector<demand> all;
    for (const auto& p : places_)
        all.push_back(p.what);
    return all;
}

bool seating::empty() const noexcept
{
    return std::ranges::all_of(places_, [](const place& p) { return p.taken.expired(); });
}

} // namespace rolegate::proxy
