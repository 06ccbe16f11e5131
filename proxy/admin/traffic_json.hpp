// SPDX-License-Identifier: PostgreSQL
//
// What HAProxy's statistics page has of a server and of a proxy, for /api/v1/status: limits,
// weights, and counters since the start. Pure.
#pragma once

#include "proxy/process_view.hpp"

#include <boost/json/object.hpp>

namespace rolegate::proxy::admin
{

// Of a member, over all listeners of its cluster.
void add_traffic(
    boost::json::object& to,
    const process_view& view,
    const cluster_view& cluster,
    const health::member& m
);

// Of a listener, in all and by member.
void add_traffic(boost::json::object& to, const process_view& view, const listener_view& l);

// What is at the head of HAProxy's page: age, limits, and what is used of them.
[[nodiscard]] boost::json::object process_object(const process_view& view);

} // namespace rolegate::proxy::admin
