// SPDX-License-Identifier: PostgreSQL
#include "proxy/listener_state.hpp"

#include "proxy/match.hpp"

#include <algorithm>
#include <utility>

namespace rolegate::proxy
{

namespace
{

std::vector<address_range> ranges(const std::vector<config::network>& networks)
{
    return {networks.begin(), networks.end()};
}

} // namespace

listener_state::listener_state(
    config::listener_settings l,
    config::cluster_settings c,
    seat_ptr at,
    std::shared_ptr<doorway> through,
    listener_tls_contexts contexts,
    process_state& p,
    const listener_state* before
)
    : settings(std::move(l)), cluster_settings(std::move(c)), place(std::move(at)),
      way(std::move(through)), to{settings.role, place->index}, cluster(place->cluster),
      id(way->id), tls(std::move(contexts)), process(p), door(way->door),
      handshakes(way->handshakes), traffic(way->traffic),
      members(
          to,
          settings.balance,
          cluster_settings,
          before && before->place == place ? &before->members : nullptr
      ),
      allowed_(ranges(settings.allow)), proxies_(ranges(settings.accept_proxy))
{
}

bool listener_state::continues(const listener_state& before) const noexcept
{
    return id == before.id && settings.tls == before.settings.tls &&
           cluster_settings.tcp.has_value() == before.cluster_settings.tcp.has_value();
}

listener_state* listener_state::taker_of(pgwire::bytes startup) const noexcept
{
    const auto takes = [startup](const auto* l) { return fits(l->settings.match, startup); };
    const auto found = std::ranges::find_if(sharing, takes);
    return found == sharing.end() ? nullptr : *found;
}

listener_state* listener_state::taker_of_all() const noexcept
{
    return sharing.back()->settings.match.empty() ? sharing.back() : nullptr;
}

} // namespace rolegate::proxy
