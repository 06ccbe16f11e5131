// SPDX-License-Identifier: PostgreSQL
//
// Which server gave out which cancel key, for the live sessions of all workers: a CancelRequest
// comes on a connection of its own, to any worker, and is to reach the session's own server.
//
// Keys are secrets: they are never logged, and wiped when they are taken out.
#pragma once

#include "proxy/pgwire/first_packet.hpp"
#include "proxy/server_address.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rolegate::proxy
{

// As BackendKeyData and CancelRequest spell it: the process's number and the secret, which has 4
// bytes in protocol 3.0 and up to 256 in 3.2.
inline constexpr std::size_t min_cancel_key_size = 8;
inline constexpr std::size_t max_cancel_key_size = 260;

// Thread-safe. Outlives its entries. An eight-byte key takes about 60 bytes here.
class cancel_keys
{
public:
    class entry;

    // The key is known until the entry ends. A key of a size that no server sends is not kept: the
    // entry is empty then. Two servers may have given out the same key; each has its own entry.
    [[nodiscard]] entry add(pgwire::bytes key, const server_address& server);

    // Of servers that gave out the same key, any one.
    [[nodiscard]] std::optional<server_address> find(pgwire::bytes key) const;

    [[nodiscard]] std::size_t size() const;

private:
    using shared_address = std::shared_ptr<const server_address>;

    // By digest: the key itself if it has eight bytes, else a hash of `rest`.
    struct record
    {
        shared_address server;
        std::unique_ptr<std::vector<std::byte>> rest; // the whole key when it is longer
    };
    using record_map = std::unordered_multimap<std::uint64_t, record>;

    // Sessions of one worker seldom wait for those of another.
    struct shard
    {
        mutable std::mutex mutex;
        record_map records;
        std::vector<shared_address> servers; // few: each is kept once a shard

        shared_address intern(const server_address& server);
        void remove(const record_map::value_type& which) noexcept;
    };
    static constexpr std::size_t shard_count = 16;

    [[nodiscard]] static std::uint64_t digest(pgwire::bytes key) noexcept;
    [[nodiscard]] static std::size_t shard_of(std::uint64_t digest) noexcept;

    std::array<shard, shard_count> shards_;
};

// One session's key in the table; may be moved to and ended on another thread.
class cancel_keys::entry
{
public:
    entry() noexcept = default;
    ~entry() { remove(); }
    entry(entry&& other) noexcept
        : home_(std::exchange(other.home_, nullptr)), record_(std::exchange(other.record_, nullptr))
    {
    }
    entry& operator=(entry&& other) noexcept
    {
        entry old(std::move(other));
        std::swap(home_, old.home_);
        std::swap(record_, old.record_);
        return *this;
    }

    void remove() noexcept;
    [[nodiscard]] bool empty() const noexcept { return !record_; }

private:
    friend class cancel_keys;

    entry(shard& home, const record_map::value_type& which) noexcept : home_(&home), record_(&which)
    {
    }

    shard* home_ = nullptr;
    const record_map::value_type* record_ = nullptr; // stays where it is when the map grows
};

} // namespace rolegate::proxy
