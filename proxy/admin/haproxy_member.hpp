// SPDX-License-Identifier: PostgreSQL
//
// The line of one member in HAProxy's statistics of one listener. Pure.
#pragma once

#include "proxy/admin/haproxy_row.hpp"

#include <vector>

namespace rolegate::proxy::admin
{

// One member of one listener, as all below want to know it.
struct place
{
    const cluster_view& cluster;
    const health::member& member;
    const health::grant& grant;
    config::member_settings options;
    bool stale = false;

    // New sessions may go there.
    [[nodiscard]] bool is_open() const
    {
        return !stale && grant.verdict == health::admission::open;
    }
};

// Of all members, in their order. They refer to the view.
[[nodiscard]] std::vector<place> places_of(const process_view& view, const listener_view& l);

// `proxy` and `server` are numbers, from 1.
[[nodiscard]] row member_row(
    const process_view& view,
    const listener_view& l,
    std::size_t proxy,
    std::size_t server,
    const place& p
);

} // namespace rolegate::proxy::admin
