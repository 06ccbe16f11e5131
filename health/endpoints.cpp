// SPDX-License-Identifier: PostgreSQL
#include "health/endpoints.hpp"

#include <boost/url/parse.hpp>

#include <algorithm>

namespace rolegate::health
{

std::string address_text(const std::string& host, std::uint16_t port)
{
    const bool ipv6 = host.find(':') != std::string::npos;
    return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

void endpoint_book::adopt(const cluster_listing& listing)
{
    for (const auto& m : listing.members)
    {
        const auto url = boost::urls::parse_uri(m.api_url);
        if (!url || url->host().empty())
            continue;
        const bool tls = always_tls_ || url->scheme() == "https";
        const auto port = url->port_number() ? url->port_number() : std::uint16_t(tls ? 443 : 80);
        const std::string host(url->host_address());
        const auto at = add(host, port, tls, false);
        if (at == endpoints_.size())
            continue;
        // A name that moved to another address leaves the old endpoint nameless.
        for (std::size_t i = 0; i < endpoints_.size(); ++i)
            if (i != at && endpoints_[i].member == m.name)
                endpoints_[i].member.clear();
        endpoints_[at].member = m.name;
        if (!places_[at].seed) // how a seed is spoken to is the operator's word
            places_[at].tls = tls;
    }
}

std::vector<std::string>
endpoint_book::forget(const std::function<bool(const std::string& member)>& gone)
{
    std::vector<std::string> forgotten;
    for (std::size_t i = endpoints_.size(); i-- > 0;)
    {
        if (places_[i].seed || endpoints_[i].in_flight || !gone(endpoints_[i].member))
            continue;
        const auto at = static_cast<std::ptrdiff_t>(i);
        forgotten.push_back(endpoints_[i].address);
        endpoints_.erase(endpoints_.begin() + at);
        places_.erase(places_.begin() + at);
    }
    return forgotten;
}

rest_endpoint* endpoint_book::find(const std::string& address) noexcept
{
    const auto at = index_of(address);
    return at < endpoints_.size() ? &endpoints_[at] : nullptr;
}

endpoint_place& endpoint_book::place_of(const rest_endpoint& e) noexcept
{
    return places_[static_cast<std::size_t>(&e - endpoints_.data())];
}

std::size_t endpoint_book::index_of(const std::string& address) const
{
    const auto it = std::ranges::find(endpoints_, address, &rest_endpoint::address);
    return static_cast<std::size_t>(it - endpoints_.begin());
}

// Returns endpoints_.size() when there are too many.
std::size_t endpoint_book::add(const std::string& host, std::uint16_t port, bool tls, bool seed)
{
    const auto address = address_text(host, port);
    const auto at = index_of(address);
    if (at < endpoints_.size() || endpoints_.size() >= max_endpoints)
        return at;
    rest_endpoint e;
    e.address = address;
    endpoints_.push_back(std::move(e));
    places_.push_back({host, port, tls, seed, ""});
    return at;
}

} // namespace rolegate::health
