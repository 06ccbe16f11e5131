// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/environment.hpp"

#include "config/haproxy/section.hpp"

#include <cstddef>

namespace rolegate::config::haproxy
{

std::optional<std::string> changed_environment::find(const std::string& name) const
{
    const auto changed = changes_.find(name);
    if (changed != changes_.end())
        return changed->second;
    return reset_ ? std::nullopt : outside_(name);
}

bool changed_environment::take(const line& l)
{
    const std::string& word = l.words.front();
    if ((word == "setenv" || word == "presetenv") && l.words.size() == 3)
    {
        if (word == "setenv" || !find(l.words[1]))
            changes_[l.words[1]] = l.words[2];
        return true;
    }
    if (word == "unsetenv")
    {
        for (std::size_t i = 1; i < l.words.size(); ++i)
            changes_[l.words[i]] = std::nullopt;
        return true;
    }
    if (word != "resetenv")
        return false;
    std::map<std::string, std::optional<std::string>> kept;
    for (std::size_t i = 1; i < l.words.size(); ++i)
        kept[l.words[i]] = find(l.words[i]);
    changes_ = std::move(kept);
    reset_ = true;
    return true;
}

} // namespace rolegate::config::haproxy
