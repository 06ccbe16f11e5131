// SPDX-License-Identifier: PostgreSQL
//
// What people are shown, as far as the clusters and the listeners tell it. Control thread only.
#pragma once

#include "proxy/clusters.hpp"
#include "proxy/front.hpp"
#include "proxy/process_view.hpp"

#include <boost/asio/awaitable.hpp>

namespace rolegate::proxy
{

// Asks every worker; all the rest is of the moment at which the last has answered.
[[nodiscard]] boost::asio::awaitable<process_view> gather(front& from, const clusters& beliefs);

} // namespace rolegate::proxy
