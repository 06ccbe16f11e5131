// SPDX-License-Identifier: PostgreSQL
#include "health/cluster_monitor.hpp"

#include "health/monitor.hpp"
#include "health/postgres/monitor.hpp"
#include "health/tcp_monitor.hpp"

#include <utility>

namespace rolegate::health
{

std::shared_ptr<cluster_monitor> make_monitor(
    boost::asio::io_context& control,
    const config::cluster_settings& settings,
    std::vector<demand> demands,
    observer& to
)
{
    if (settings.postgres)
        return std::make_shared<postgres::monitor>(control, settings, std::move(demands), to);
    if (settings.tcp)
        return std::make_shared<tcp_monitor>(control, settings, std::move(demands), to);
    return std::make_shared<monitor>(control, settings, std::move(demands), to);
}

} // namespace rolegate::health
