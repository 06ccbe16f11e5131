// SPDX-License-Identifier: PostgreSQL
#include "health/cluster_monitor.hpp"

#include "health/monitor.hpp"
#include "health/tcp_monitor.hpp"

namespace rolegate::health
{

std::unique_ptr<cluster_monitor> make_monitor(
    boost::asio::io_context& control, const config::cluster_settings& settings, observer& to
)
{
    if (settings.tcp)
        return std::make_unique<tcp_monitor>(control, settings, to);
    return std::make_unique<monitor>(control, settings, to);
}

} // namespace rolegate::health
