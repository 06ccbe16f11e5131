// SPDX-License-Identifier: PostgreSQL
//
// Names of sections as names of clusters and listeners. Pure.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace rolegate::config::haproxy
{

class names
{
public:
    // `wanted`, or what comes nearest to it of what may be a name and is not taken yet.
    std::string take(std::string_view wanted);

private:
    std::set<std::string, std::less<>> taken_;
};

} // namespace rolegate::config::haproxy
