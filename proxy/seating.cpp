// SPDX-License-Identifier: PostgreSQL
#include "proxy/seating.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace rolegate::proxy
{

namespace
{

// A listener that moves is another one to new clients: not for a few places.
constexpr std::size_t spare = 16;

} // namespace

seat_ptr seating::take(const demand& d)
{
    const auto is_free = [](const place& p) { return p.taken.expired(); };
    const auto freed = static_cast<std::size_t>(std::ranges::count_if(places_, is_free));
    const bool sparse = freed > spare && freed > places_.size() / 2;
    auto free = places_.end();
    for (auto p = places_.begin(); p != places_.end(); ++p)
    {
        auto taken = p->taken.lock();
        if (taken && p->what == d && !(sparse && free != places_.end()))
        {
            p->last = ++takes_;
            return taken;
        }
        if (!taken && free == places_.end())
            free = p;
    }
    if (free == places_.end())
        free = places_.emplace(free);
    const auto index = static_cast<std::size_t>(free - places_.begin());
    const auto made = std::make_shared<const seat>(seat{cluster_, index});
    *free = {d, made, ++takes_};
    return made;
}

std::vector<seating::demand> seating::demands() const
{
    const auto rank = [](const place& p) { return std::pair(!p.taken.expired(), p.last); };
    std::vector<demand> all;
    std::map<std::string_view, const place*> present; // by listener
    for (const auto& p : places_)
    {
        auto& best = present[p.what.listener];
        if (!best || rank(*best) < rank(p))
            best = &p;
    }
    for (const auto& p : places_)
    {
        all.push_back(p.what);
        if (present.at(p.what.listener) != &p)
            all.back().listener.clear();
    }
    return all;
}

bool seating::tidy()
{
    bool changed = false;
    for (; !places_.empty() && places_.back().taken.expired(); changed = true)
        places_.pop_back();
    for (auto& p : places_)
        if (p.taken.expired() && p.what != demand{})
        {
            p.what = {};
            changed = true;
        }
    return changed;
}

bool seating::empty() const noexcept
{
    return std::ranges::all_of(places_, [](const place& p) { return p.taken.expired(); });
}

} // namespace rolegate::proxy
