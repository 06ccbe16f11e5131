// SPDX-License-Identifier: PostgreSQL
//
// The environment as `setenv` and its like of a haproxy.cfg change it. Pure.
#pragma once

#include "config/haproxy/split.hpp"

#include <map>
#include <optional>
#include <string>

namespace rolegate::config::haproxy
{

struct line;

class changed_environment
{
public:
    explicit changed_environment(const variables& outside) : outside_(outside) {}

    [[nodiscard]] std::optional<std::string> find(const std::string& name) const;

    // False: the line is about something else.
    bool take(const line& l);

private:
    const variables& outside_;
    std::map<std::string, std::optional<std::string>> changes_;
    bool reset_ = false; // nothing from outside counts any more
};

} // namespace rolegate::config::haproxy
