// SPDX-License-Identifier: PostgreSQL
#include "proxy/balance.hpp"

#include <algorithm>
#include <cmath>

namespace rolegate::proxy
{

namespace
{

using candidates = std::span<const candidate>;

constexpr auto has_place = [](const candidate& c) { return !c.full; };

// The last step of splitmix64: every bit of `x` changes half of the bits.
std::uint64_t mixed(std::uint64_t x) noexcept
{
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31U);
}

// FNV-1a. It must stay as it is: proxies of different versions stand beside each other.
std::uint64_t hash_of(const client_address& client, std::string_view member) noexcept
{
    std::uint64_t h = 0xcbf29ce484222325U;
    const auto add = [&h](std::uint8_t byte) { h = (h ^ byte) * 0x100000001b3U; };
    const auto used = client.family == client_family::v4 ? 4U : client.bytes.size();
    for (const auto byte : std::span(client.bytes).first(used))
        add(byte);
    for (const char c : member)
        add(static_cast<std::uint8_t>(c));
    return mixed(h);
}

// Of members whose scores are -weight / ln(u), u evenly within 0 and 1, each is the highest as
// often as its weight says.
double score_of(const candidate& c, const client_address& client) noexcept
{
    constexpr double steps = 4503599627370496.0; // 2^52: halves of them are exact in a double
    const auto u = (static_cast<double>(hash_of(client, c.name) >> 12U) + 0.5) / steps;
    return -static_cast<double>(c.weight) / std::log(u);
}

// A member that is full still is the client's own, as long as it may wait for it.
const candidate* own_member(candidates from, const client_address& client) noexcept
{
    const candidate* best = nullptr;
    double highest = 0;
    for (const auto& c : from)
    {
        if (c.full && c.queue_full)
            continue;
        const auto score = score_of(c, client);
        if (best && score <= highest)
            continue;
        best = &c;
        highest = score;
    }
    return best;
}

// HAProxy's key: an idle member comes first whatever its weight, else what its load would be with
// one session more. Nearly 2^32 sessions fit.
std::uint64_t load_of(const candidate& c) noexcept
{
    return c.sessions == 0 ? 0 : ((std::uint64_t{c.sessions} + 1) << 32U) / c.weight;
}

bool is_less_loaded(const candidate& a, const candidate& b) noexcept
{
    return std::uint64_t{a.sessions} * b.weight < std::uint64_t{b.sessions} * a.weight;
}

} // namespace

balance::balance(config::balance_algorithm algorithm, std::uint64_t seed) noexcept
    : algorithm_(algorithm), random_(seed)
{
}

void balance::adopt(const health::topology& t)
{
    if (std::ranges::equal(turns_, t.members, {}, &turn::member, &health::member::name))
        return;
    turns_.clear();
    for (const auto& m : t.members)
        turns_.push_back({m.name});
}

balance::choice balance::choose(candidates from, const client_address& client)
{
    using algorithm = config::balance_algorithm;
    switch (algorithm_)
    {
    case algorithm::roundrobin:
        break;
    case algorithm::leastconn:
        return {least_loaded(from)};
    case algorithm::random:
        return {less_loaded_of_two(from)};
    case algorithm::first:
    {
        const auto found = std::ranges::find_if(from, has_place);
        return {found == from.end() ? nullptr : &*found};
    }
    case algorithm::source:
        if (client.family == client_family::unix_socket)
            break; // nothing tells its clients apart
        const auto* own = own_member(from, client);
        return {own, own && own->full};
    }
    return {in_turn(from, has_place)};
}

// Smooth weighted round robin: each saves up its weight, the richest goes and pays for all. Of
// weights 5, 1, 1 that makes a a b a c a a, where counting down would make a a a a a b c.
template <class May> const candidate* balance::in_turn(candidates from, May may)
{
    const candidate* richest = nullptr;
    std::size_t its_turn = 0;
    std::size_t at = 0;
    std::int64_t all = 0;
    for (const auto& c : from)
    {
        if (!may(c))
            continue;
        at = find_turn(at, c.name);
        turns_[at].credit += c.weight;
        all += c.weight;
        if (richest && turns_[at].credit <= turns_[its_turn].credit)
            continue;
        richest = &c;
        its_turn = at;
    }
    if (richest)
        turns_[its_turn].credit -= all;
    return richest;
}

// Both are in the order of names, so a whole walk looks at each turn once. A worker may know a
// member a moment before, or longer than, adopt().
std::size_t balance::find_turn(std::size_t from, std::string_view member)
{
    while (from < turns_.size() && turns_[from].member < member)
        ++from;
    if (from == turns_.size() || turns_[from].member != member)
        turns_.insert(turns_.begin() + static_cast<std::ptrdiff_t>(from), {std::string(member)});
    return from;
}

const candidate* balance::least_loaded(candidates from)
{
    auto least = UINT64_MAX;
    for (const auto& c : from)
        if (has_place(c))
            least = std::min(least, load_of(c));
    return in_turn(
        from, [least](const candidate& c) { return has_place(c) && load_of(c) == least; }
    );
}

// Twice the same may be drawn, as in HAProxy.
const candidate* balance::less_loaded_of_two(candidates from)
{
    std::uint64_t all = 0;
    for (const auto& c : from)
        all += has_place(c) ? c.weight : 0;
    if (all == 0)
        return nullptr;
    const auto one_by_weight = [&]
    {
        auto left = draw() % all;
        const auto reached = [&left](const candidate& c)
        {
            if (!has_place(c))
                return false;
            if (left < c.weight)
                return true;
            left -= c.weight;
            return false;
        };
        return &*std::ranges::find_if(from, reached);
    };
    const auto* a = one_by_weight();
    const auto* b = one_by_weight();
    return is_less_loaded(*b, *a) ? b : a;
}

// splitmix64
std::uint64_t balance::draw() noexcept
{
    return mixed(random_ += 0x9e3779b97f4a7c15U);
}

} // namespace rolegate::proxy
