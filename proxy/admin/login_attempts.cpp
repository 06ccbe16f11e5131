// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/login_attempts.hpp"

#include "proxy/address_range.hpp"

#include <algorithm>

namespace rolegate::proxy::admin
{

namespace
{

constexpr std::size_t ipv4_bytes = 4;
constexpr std::size_t ipv6_network_bytes = 8; // /64

std::string key_of(const std::string& from)
{
    const auto address = parse_client_address(from);
    if (!address || address->family == client_family::unix_socket)
        return "";
    const bool v4 = address->family == client_family::v4;
    const auto* begin = reinterpret_cast<const char*>(address->bytes.data());
    return {begin, v4 ? ipv4_bytes : ipv6_network_bytes};
}

} // namespace

login_attempts::source& login_attempts::source_of(const std::string& key, time_point now)
{
    if (sources_.size() >= most_sources && !sources_.contains(key))
        make_room(now);
    const auto [at, added] =
        sources_.try_emplace(key, source{token_bucket(per_second_, at_once_), now});
    at->second.last = now;
    return at->second;
}

bool login_attempts::may_try(const std::string& from, time_point now)
{
    return source_of(key_of(from), now).tries.take(now);
}

login_attempts::place login_attempts::take_place(const std::string& from, time_point now)
{
    const auto key = key_of(from);
    const auto most = right_.contains(key) ? most_places : most_places - kept_places;
    const auto& s = source_of(key, now);
    if (s.places.use_count() > most_places_of_one || places_.use_count() > most)
        return {};
    return {places_, s.places};
}

void login_attempts::was_right(const std::string& from, time_point now)
{
    right_[key_of(from)] = now;
    const auto earlier = [](const auto& a, const auto& b) { return a.second < b.second; };
    if (right_.size() > most_right)
        right_.erase(std::ranges::min_element(right_, earlier));
}

// Nothing is lost with those who have all their tries again.
void login_attempts::make_room(time_point now)
{
    const auto has_all = [&](const auto& s)
    {
        const std::chrono::duration<double> since = now - s.second.last;
        return since.count() * per_second_ >= at_once_;
    };
    std::erase_if(sources_, has_all);
    if (sources_.size() < most_sources)
        return;
    const auto earlier = [](const auto& a, const auto& b) { return a.second.last < b.second.last; };
    sources_.erase(std::ranges::min_element(sources_, earlier));
}

} // namespace rolegate::proxy::admin
