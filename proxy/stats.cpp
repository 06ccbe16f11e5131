// SPDX-License-Identifier: PostgreSQL
#include "proxy/stats.hpp"

#include <algorithm>

namespace rolegate::proxy
{

namespace
{

// Prometheus counts a value that equals a bound below it: lower_bound, not upper_bound.
std::size_t bucket_of(double seconds) noexcept
{
    const auto at = std::ranges::lower_bound(duration_buckets, seconds);
    return static_cast<std::size_t>(at - duration_buckets.begin());
}

void add(std::uint64_t& into, std::uint64_t from) noexcept
{
    into += from;
}

void add(histogram& into, const histogram& from) noexcept
{
    for (std::size_t i = 0; i < from.counts.size(); ++i)
        into.counts[i] += from.counts[i];
    into.sum += from.sum;
}

void add(recent_mean& into, const recent_mean& from) noexcept
{
    into.sum += from.sum;
    into.count += from.count;
    into.most = std::max(into.most, from.most);
}

template <class Value>
void add(std::map<std::string, Value>& into, const std::map<std::string, Value>& from)
{
    for (const auto& [key, value] : from)
        add(into[key], value);
}

void add(member_stats& into, const member_stats& from)
{
    add(into.sessions, from.sessions);
    add(into.ended, from.ended);
    add(into.shut_down, from.shut_down);
    add(into.bytes_in, from.bytes_in);
    add(into.bytes_out, from.bytes_out);
    add(into.connect_seconds, from.connect_seconds);
    add(into.failed, from.failed);
    add(into.retries, from.retries);
    add(into.redispatches, from.redispatches);
    add(into.wait_seconds, from.wait_seconds);
    add(into.connecting_seconds, from.connecting_seconds);
    add(into.total_seconds, from.total_seconds);
}

void add(listener_stats& into, const listener_stats& from)
{
    for (const auto& [name, member] : from.members)
        add(into.members[name], member);
    add(into.held, from.held);
    add(into.hold_seconds, from.hold_seconds);
    add(into.handshake_rejects, from.handshake_rejects);
    add(into.cancel_requests, from.cancel_requests);
    add(into.session_seconds, from.session_seconds);
}

} // namespace

void histogram::observe(double seconds) noexcept
{
    ++counts[bucket_of(seconds)];
    sum += seconds;
}

void recent_mean::observe(double value) noexcept
{
    most = std::max(most, value);
    if (count < window)
        ++count;
    else
        sum -= sum / window;
    sum += value;
}

member_stats all_members(const listener_stats& l)
{
    member_stats all;
    for (const auto& [name, member] : l.members)
        add(all, member);
    return all;
}

void merge(worker_stats& into, const worker_stats& from)
{
    for (const auto& [listener, stats] : from)
        add(into[listener], stats);
}

} // namespace rolegate::proxy
