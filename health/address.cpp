// SPDX-License-Identifier: PostgreSQL
#include "health/address.hpp"

#include "health/evidence.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>

#include <algorithm>

namespace rolegate::health
{

namespace
{

// A REST API is not reached over a unix socket; what is no URL stays as it is.
void translate_url(const config::address_map& map, std::string& text)
{
    const auto parsed = boost::urls::parse_uri(text);
    if (!parsed || !parsed->has_port())
        return;
    const config::host_port said{std::string(parsed->host_address()), parsed->port_number()};
    const auto to = translate(map, said);
    if (to == said || to.is_unix())
        return;
    boost::urls::url changed(*parsed);
    changed.set_host_address(to.host);
    changed.set_port_number(to.port);
    text = changed.buffer();
}

} // namespace

address_list merge_addresses(const address_list& known, const address_list& answer)
{
    const auto has = [](const address_list& list, const std::string& address)
    { return std::ranges::find(list, address) != list.end(); };
    address_list merged;
    for (const auto& address : known)
        if (has(answer, address))
            merged.push_back(address);
    for (const auto& address : answer)
        if (!has(merged, address))
            merged.push_back(address);
    merged.resize(std::min(merged.size(), max_addresses));
    return merged;
}

std::string host_and_port(const std::string& host, std::uint16_t port)
{
    const bool ipv6 = host.find(':') != std::string::npos;
    return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

config::host_port translate(const config::address_map& map, const config::host_port& said)
{
    auto found = map.find(host_and_port(said.host, said.port));
    if (found == map.end())
        found = map.find(said.host);
    if (found == map.end())
        return said;
    const auto& target = found->second;
    return {target.host, target.port == 0 ? said.port : target.port};
}

void translate(const config::address_map& map, cluster_listing& listing)
{
    if (map.empty())
        return;
    for (auto& m : listing.members)
    {
        const auto to = translate(map, {m.host, m.port});
        m.host = to.host;
        m.port = to.port;
        m.pooler = translate(map, m.pooler);
        translate_url(map, m.api_url);
    }
}

void take_poolers(const cluster_listing& listing, std::map<std::string, config::host_port>& poolers)
{
    for (const auto& m : listing.members)
        if (m.pooler.host.empty())
            poolers.erase(m.name);
        else
            poolers[m.name] = m.pooler;
}

} // namespace rolegate::health
