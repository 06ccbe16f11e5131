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
    std::size_t place,
    config::cluster_settings c,
    process_state& p,
    hold::wake_function wake
)
    : settings(std::move(l)), cluster_settings(std::move(c)), to{settings.role, place}, process(p),
      door({settings.queue.max, settings.maxconn}, std::move(wake)),
      members(to, settings.balance, cluster_settings), handshakes(settings.handshakes),
      allowed_(ranges(settings.allow)), proxies_(ranges(settings.accept_proxy))
{
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
