// SPDX-License-Identifier: PostgreSQL
//
// How many clients of one listener have not sent their whole first packet: who opens connections
// and says nothing must not use up what others need.
#pragma once

#include "config/listener_settings.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace rolegate::proxy
{

// An IPv6 address in network order; IPv4 as ::ffff:a.b.c.d.
using address_key = std::array<std::uint8_t, 16>;

// Thread-safe. Outlives its tokens.
class handshake_count
{
public:
    class token;

    enum class limit
    {
        none,
        listener, // max
        address,  // per_address
    };

    explicit handshake_count(const config::handshake_limits& limits) : limits_(limits) {}
    handshake_count(const handshake_count&) = delete;
    handshake_count& operator=(const handshake_count&) = delete;

    // A client has come. Counted until the token ends; when a limit is hit the token is empty and
    // `hit` says which. IPv6 is counted by /64: one host owns that many addresses. A client with no
    // address of its own (a unix socket, a balancer that has not yet said for whom it comes) counts
    // for the listener only.
    struct answer;
    [[nodiscard]] answer enter(const std::optional<address_key>& from);

    // Of those that come from now on.
    void set_limits(const config::handshake_limits& limits);

    // Never blocks.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    // Addresses that are being counted.
    [[nodiscard]] std::size_t addresses() const;

private:
    using address_map = std::map<address_key, std::size_t>;

    void leave(const std::optional<address_map::iterator>& at) noexcept;

    mutable std::mutex mutex_;
    config::handshake_limits limits_;
    address_map addresses_;            // dropped at 0
    std::atomic<std::size_t> size_{0}; // written under the lock
};

// May be moved to and ended on another thread.
class handshake_count::token
{
public:
    token() noexcept = default;
    ~token() { end(); }
    token(token&& other) noexcept : home_(std::exchange(other.home_, nullptr)), at_(other.at_) {}
    token& operator=(token&& other) noexcept
    {
        token old(std::move(other));
        std::swap(home_, old.home_);
        std::swap(at_, old.at_);
        return *this;
    }

    // The first packet is whole, or the client has gone.
    void end() noexcept
    {
        if (auto* home = std::exchange(home_, nullptr))
            home->leave(at_);
    }

    [[nodiscard]] bool empty() const noexcept { return !home_; }

private:
    friend class handshake_count;

    token(handshake_count& home, std::optional<address_map::iterator> at) noexcept
        : home_(&home), at_(at)
    {
    }

    handshake_count* home_ = nullptr;
    std::optional<address_map::iterator> at_;
};

struct handshake_count::answer
{
    token place;
    limit hit = limit::none;
};

} // namespace rolegate::proxy
