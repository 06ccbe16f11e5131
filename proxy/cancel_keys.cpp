// SPDX-License-Identifier: PostgreSQL
#include "proxy/cancel_keys.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string_view>

namespace rolegate::proxy
{

namespace
{

bool is_key(pgwire::bytes key) noexcept
{
    return key.size() >= min_cancel_key_size && key.size() <= max_cancel_key_size;
}

// A write that the compiler may not leave out, although the memory is freed next.
void wipe(void* at, std::size_t n) noexcept
{
    volatile auto* p = static_cast<unsigned char*>(at);
    while (n-- > 0)
        *p++ = 0;
}

bool is_rest(const std::unique_ptr<std::vector<std::byte>>& rest, pgwire::bytes key) noexcept
{
    return rest ? std::ranges::equal(*rest, key) : key.size() == sizeof(std::uint64_t);
}

} // namespace

// Not known to a client before a server has sent it, so nobody can aim at collisions.
std::uint64_t cancel_keys::digest(pgwire::bytes key) noexcept
{
    std::uint64_t d = 0;
    if (key.size() != sizeof d)
        return std::hash<std::string_view>()({reinterpret_cast<const char*>(key.data()), key.size()}
        );
    std::memcpy(&d, key.data(), sizeof d);
    return d;
}

std::size_t cancel_keys::shard_of(std::uint64_t digest) noexcept
{
    // Fibonacci hashing: process numbers differ in few bits.
    constexpr std::uint64_t golden = 0x9E3779B97F4A7C15;
    return static_cast<std::size_t>((digest * golden) >> 32) % shard_count;
}

cancel_keys::entry cancel_keys::add(pgwire::bytes key, const server_address& server)
{
    if (!is_key(key))
        return {};
    const auto d = digest(key);
    record r;
    if (key.size() != sizeof d)
        r.rest = std::make_unique<std::vector<std::byte>>(key.begin(), key.end());
    auto& home = shards_[shard_of(d)];
    const std::lock_guard lock(home.mutex);
    r.server = home.intern(server);
    return {home, *home.records.emplace(d, std::move(r))};
}

std::optional<server_address> cancel_keys::find(pgwire::bytes key) const
{
    if (!is_key(key))
        return {};
    const auto d = digest(key);
    const auto& home = shards_[shard_of(d)];
    const std::lock_guard lock(home.mutex);
    const auto [first, last] = home.records.equal_range(d);
    for (auto r = first; r != last; ++r)
        if (is_rest(r->second.rest, key))
            return *r->second.server;
    return {};
}

std::size_t cancel_keys::size() const
{
    std::size_t n = 0;
    for (const auto& s : shards_)
    {
        const std::lock_guard lock(s.mutex);
        n += s.records.size();
    }
    return n;
}

// All references are held by records of this shard, so that counting them under its lock is exact.
// Servers that nobody is on any more go when a new one comes: that bounds their number.
cancel_keys::shared_address cancel_keys::shard::intern(const server_address& server)
{
    const auto known = std::ranges::find_if(servers, [&](const auto& s) { return *s == server; });
    if (known != servers.end())
        return *known;
    std::erase_if(servers, [](const auto& s) { return s.use_count() == 1; });
    return servers.emplace_back(std::make_shared<const server_address>(server));
}

void cancel_keys::shard::remove(const record_map::value_type& which) noexcept
{
    const std::lock_guard lock(mutex);
    const auto [first, last] = records.equal_range(which.first);
    const auto r = std::find_if(first, last, [&](const auto& x) { return &x == &which; });
    if (r == last)
        return;
    auto taken = records.extract(r);
    wipe(&taken.key(), sizeof taken.key());
    if (auto& rest = taken.mapped().rest)
        wipe(rest->data(), rest->size());
}

void cancel_keys::entry::remove() noexcept
{
    if (!record_)
        return;
    home_->remove(*record_);
    home_ = nullptr;
    record_ = nullptr;
}

} // namespace rolegate::proxy
