// SPDX-License-Identifier: PostgreSQL
//
// How many sessions of one door have a place on each member. After a reload the door may lead to
// another cluster, whose members have nothing to do with those of the same names before.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>

namespace rolegate::proxy
{

struct taken_places
{
    std::size_t sessions = 0; // connecting ones included; 0: the member is dropped
    std::size_t connecting = 0;
};

// By the cluster's number, then by name, which need not be a string to be looked for.
struct by_cluster_and_name
{
    using is_transparent = void;

    bool operator()(const auto& a, const auto& b) const noexcept
    {
        return a.first != b.first ? a.first < b.first : a.second < b.second;
    }
};

using member_places =
    std::map<std::pair<std::size_t, std::string>, taken_places, by_cluster_and_name>;

} // namespace rolegate::proxy
