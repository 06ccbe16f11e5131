// SPDX-License-Identifier: PostgreSQL
//
// What operators have ordered and not taken back: plain values, apart from whoever carries them
// out, so that a reload or another process can take them over. Control thread only.
#pragma once

#include "health/topology.hpp"

#include <chrono>
#include <map>
#include <string>

namespace rolegate::proxy
{

struct ordered_by
{
    std::string who; // "" = somebody without a name
    std::chrono::system_clock::time_point at;

    friend bool operator==(const ordered_by&, const ordered_by&) = default;
};

struct member_order
{
    health::operator_state state = health::operator_state::ready;
    ordered_by by;

    friend bool operator==(const member_order&, const member_order&) = default;
};

struct standing_orders
{
    std::map<std::string, std::map<std::string, member_order>> members; // by cluster and member
    std::map<std::string, ordered_by> paused;                           // by listener

    // A member that is ready again, or a listener that is resumed, is forgotten.
    void set_member(const std::string& cluster, const std::string& member, member_order order);
    void set_paused(const std::string& listener, bool paused, ordered_by by);

    [[nodiscard]] bool has_member(const std::string& cluster, const std::string& member) const;

    // For the monitor of this cluster, with the reasons that people are told.
    [[nodiscard]] health::operator_orders orders_of(const std::string& cluster) const;

    friend bool operator==(const standing_orders&, const standing_orders&) = default;
};

// "by dba at 2026-11-22 10:22:05 UTC", "at 2026-11-22 10:22:05 UTC"
[[nodiscard]] std::string text_of(const ordered_by& by);

} // namespace rolegate::proxy
