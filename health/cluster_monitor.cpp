// SPDX-License-Identifier: PostgreSQL
#include "health/cluster_monitor.hpp"

#include "health/monitor.hpp"

#include <utility>

namespace rolegate::health
{

std::unique_ptr<cluster_monitor> make_monitor(
    boost::asio::io_context& control,
    const config::cluster_settings& settings,
    std::vector<demand> demands,
    observer& to
)
{
    return std::make_unique<monitor>(control, settings, std::move(demands), to);
}

} // namespace rolegate::health
