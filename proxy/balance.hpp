// SPDX-License-Identifier: PostgreSQL
//
// Which of several members gets the next session, by the algorithms and with the meaning of
// HAProxy's `balance`. Effective weights (slowstart.hpp), sessions and whether there is a place
// come in with each member; what is kept from one choice to the next are the turns and the random
// numbers.
//
// `source` is weighted rendezvous hashing: each member gets a number from the client's address, its
// own name and its weight, and the highest wins. A member that goes leaves its clients to the
// others, and one that comes takes its share from each; nobody else moves. HAProxy needs `hash-type
// consistent` for that; its default (map-based) moves most clients whenever a server goes or comes,
// which for sessions that last has no merit. No ring is kept, shares are exact, and all proxies
// choose alike.
//
// Pure. Not thread-safe: one for all workers, under a lock.
#pragma once

#include "config/settings.hpp"
#include "health/topology.hpp"
#include "proxy/address_range.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::proxy
{

struct candidate
{
    std::string_view name;
    unsigned weight = 0;      // effective, not 0
    std::size_t sessions = 0; // of the listener, those that are being connected included
    bool full = false;        // no place for one more session now
    bool queue_full = false;  // nor for one more client that waits for this member
};

// A member's part in sharing new sessions, as people are told; weights as they are configured.
struct member_share
{
    unsigned weight = 1;    // now: less than the whole in a slow start, but 1 at least
    unsigned of = 1;        // the whole
    bool is_idle = false;   // a backup that is not used now
    unsigned percent = 100; // of the whole, as exact as it is counted: HAProxy's throttle

    friend bool operator==(const member_share&, const member_share&) = default;
};

class balance
{
public:
    // `seed` is for `random`.
    balance(config::balance_algorithm algorithm, std::uint64_t seed) noexcept;

    // Turns are kept for these members. When one has come or gone all begin again, so that nobody
    // starts with a debt, or with everybody else's.
    void adopt(const health::topology& t);

    struct choice
    {
        const candidate* member = nullptr; // nullptr: none has a place
        bool waits = false;                // it is full, and the client waits for it alone
    };

    // `from` is in the order of names, for `first` in that in which members are filled. Only
    // `source` chooses one that is full.
    [[nodiscard]] choice choose(std::span<const candidate> from, const client_address& client);

private:
    struct turn
    {
        std::string member;
        std::int64_t credit = 0;
    };

    template <class May> const candidate* in_turn(std::span<const candidate> from, May may);
    const candidate* least_loaded(std::span<const candidate> from);
    const candidate* less_loaded_of_two(std::span<const candidate> from);
    std::size_t find_turn(std::size_t from, std::string_view member);
    std::uint64_t draw() noexcept;

    config::balance_algorithm algorithm_;
    std::uint64_t random_;
    std::vector<turn> turns_; // in the order of names
};

} // namespace rolegate::proxy
