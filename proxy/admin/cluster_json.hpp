// SPDX-License-Identifier: PostgreSQL
//
// A cluster as the admin API shows it. Pure.
#pragma once

#include "proxy/process_view.hpp"

#include <boost/json/object.hpp>

namespace rolegate::proxy::admin
{

// What is known of a cluster, its members apart.
[[nodiscard]] boost::json::object cluster_object(const cluster_view& c, health::time_point now);

} // namespace rolegate::proxy::admin
