// SPDX-License-Identifier: PostgreSQL
#include "proxy/gather.hpp"

#include "proxy/log.hpp"
#include "rolegate_version.hpp"

namespace rolegate::proxy
{

boost::asio::awaitable<process_view> gather(front& from, const clusters& beliefs)
{
    auto stats = co_await from.stats();
    process_view v;
    v.version = version;
    v.now = std::chrono::steady_clock::now();
    v.wall_clock = std::chrono::system_clock::now();
    v.log_dropped = log::dropped();
    v.maxconn = from.maxconn();
    v.usage = usage_now();
    v.clusters = beliefs.views();
    v.changes = {beliefs.history().changes().begin(), beliefs.history().changes().end()};
    for (std::size_t i = 0; i < from.listeners().size(); ++i)
    {
        const auto& l = *from.listeners()[i];
        v.listeners.push_back(
            {l.settings,
             l.to,
             from.bound(i),
             stats[l.id],
             l.door.paused(),
             l.members.shares(*beliefs.believed(l.cluster), v.now),
             l.traffic.so_far()}
        );
    }
    co_return v;
}

} // namespace rolegate::proxy
