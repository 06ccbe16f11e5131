// SPDX-License-Identifier: PostgreSQL
#include "proxy/repeats.hpp"

#include <utility>

namespace rolegate::proxy
{

std::optional<std::size_t>
repeats::note(std::string_view what, config::log_level level, unsigned at_most, time_point now)
{
    auto found = known_.find(what);
    if (found == known_.end())
    {
        const bool full = known_.size() >= most_kept;
        // Nobody tells a thousand troubles apart: the rest goes by the name of the first of them.
        if (full && known_.contains(rest_))
            return note(rest_, level, 0, now);
        if (full)
        {
            at_most = 0;
            rest_ = what;
        }
        found = known_.emplace(what, window{level, now}).first;
    }
    auto& w = found->second;
    std::size_t before = 0;
    if (now - w.began >= window_)
        before = std::exchange(w, window{level, now}).kept_back;
    if (w.said < at_most)
    {
        ++w.said;
        return before;
    }
    w.kept_back += before + 1;
    return std::nullopt;
}

std::vector<repeats::kept_back> repeats::ended(time_point now)
{
    std::vector<kept_back> out;
    for (auto it = known_.begin(); it != known_.end();)
    {
        const auto& [what, w] = *it;
        if (now - w.began < window_)
        {
            ++it;
            continue;
        }
        if (w.kept_back > 0)
            out.push_back({what, w.level, w.kept_back});
        it = known_.erase(it);
    }
    return out;
}

std::vector<repeats::kept_back> repeats::all()
{
    return ended(time_point::max());
}

} // namespace rolegate::proxy
