// SPDX-License-Identifier: PostgreSQL
#include "proxy/recent.hpp"

namespace rolegate::proxy
{

bool recent::note(std::size_t scope, const std::string& member, time_point now)
{
    std::erase_if(noted_, [&](const auto& n) { return now - n.second >= lasting_; });
    return noted_.emplace(std::pair{scope, member}, now).second;
}

bool recent::has(std::size_t scope, const std::string& member, time_point now) const
{
    if (noted_.empty()) // nearly always, and asked for every session
        return false;
    const auto found = noted_.find({scope, member});
    return found != noted_.end() && now - found->second < lasting_;
}

} // namespace rolegate::proxy
