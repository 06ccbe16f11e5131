// SPDX-License-Identifier: PostgreSQL
//
// Whom to ask what, and when: steady polling, and bursts towards the few members that matter
// while a role change is in the air. Pure.
#pragma once

#include "health/member.hpp"

#include <string>
#include <vector>

namespace rolegate::health
{

enum class question
{
    word,    // GET /patroni: what the member says of itself
    claim,   // GET /primary: the same body, and the status says whether it holds the lock
    listing, // GET /cluster: the lock and the members, from the DCS at second hand
    ttl,     // GET /config: for the cluster's ttl
};

// One Patroni REST API.
struct rest_endpoint
{
    std::string address; // HOST:PORT, the key
    std::string member;  // "" = a seed that no listed member has as its api_url
    bool in_flight = false;
    bool failed = false;       // the last request brought no usable answer
    time_point finished{};     // the end of the last request
    clock::duration latency{}; // of the last answered request
    time_point word_asked{};
    time_point listing_asked{};
    bool touched = false; // something says that the member has changed
};

struct pace
{
    clock::duration interval{}; // steady, jitter included
    clock::duration fast_interval{};
    bool fast = false;              // a role change is in the air
    std::vector<std::string> focus; // members whose word matters most while it is
    bool have_listing = false;      // members are known
    bool watched = false;           // a DCS tells the lock, the members and the ttl: ask words only
    clock::duration quiet_interval{}; // of members that have not changed, if longer than interval
    bool lock_doubtful = false;       // listings fail: ask for claims instead of plain words
    time_point listing_asked{};       // of anybody
    time_point ttl_asked{};
};

struct ask
{
    std::size_t endpoint = 0; // index into the endpoints given
    question what = question::word;
};

struct plan
{
    std::vector<ask> asks; // at most one an endpoint
    time_point next{};     // when to plan again, unless something happens before
};

// An endpoint is never asked twice at a time, nor sooner than four times its last latency (at most
// one interval) after its last answer: a hundred proxies must not stampede a Patroni in the middle
// of a promotion.
[[nodiscard]] plan
make_plan(const std::vector<rest_endpoint>& endpoints, const pace& p, time_point now);

} // namespace rolegate::health
