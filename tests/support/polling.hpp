// SPDX-License-Identifier: PostgreSQL
//
// REST APIs that are asked by make_plan()'s plans, in a time of their own.
#pragma once

#include "health/schedule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rolegate::support
{

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using health::clock;
using health::make_plan;
using health::pace;
using health::question;
using health::rest_endpoint;
using health::time_point;

inline constexpr health::time_point start{1000h};

inline rest_endpoint endpoint(const std::string& member)
{
    rest_endpoint e;
    e.address = member + ":8008";
    e.member = member;
    return e;
}

inline pace steady()
{
    pace p;
    p.interval = 1s;
    p.fast_interval = 50ms;
    p.have_listing = true;
    return p;
}

// No member is known yet, only seeds.
inline pace seeking()
{
    auto p = steady();
    p.have_listing = false;
    return p;
}

inline pace burst(std::vector<std::string> focus)
{
    auto p = steady();
    p.fast = true;
    p.focus = std::move(focus);
    return p;
}

// A DCS tells the lock, the members and the ttl.
inline pace watched(clock::duration quiet_interval = {})
{
    auto p = steady();
    p.watched = true;
    p.quiet_interval = quiet_interval;
    return p;
}

// REST APIs that answer, refuse or hang, and the monitor's way of asking them.
class simulation
{
public:
    struct asked
    {
        std::size_t endpoint;
        question what;
        time_point at;
    };

    explicit simulation(pace p) : rhythm(std::move(p)) {}

    std::size_t add(const std::string& member, clock::duration latency, bool fails = false)
    {
        endpoints.push_back(endpoint(member));
        nature_.push_back({latency, fails, {}});
        return endpoints.size() - 1;
    }

    void run(clock::duration how_long)
    {
        const auto end = now + how_long;
        while (now < end)
        {
            finish_due();
            const auto next = ask_and_plan();
            now = std::min(next, end);
        }
    }

    [[nodiscard]] std::size_t count(std::size_t e, question what) const
    {
        return static_cast<std::size_t>(std::ranges::count_if(
            asks, [&](const asked& a) { return a.endpoint == e && a.what == what; }
        ));
    }

    [[nodiscard]] std::size_t count(std::size_t e) const
    {
        return static_cast<std::size_t>(std::ranges::count(asks, e, &asked::endpoint));
    }

    [[nodiscard]] std::size_t count(question what) const
    {
        return static_cast<std::size_t>(std::ranges::count(asks, what, &asked::what));
    }

    pace rhythm;
    std::vector<rest_endpoint> endpoints;
    std::vector<asked> asks;
    time_point now = start;
    std::size_t plans = 0;

private:
    struct nature
    {
        clock::duration latency;
        bool fails;
        std::optional<time_point> ready; // when the request under way ends
    };

    void finish_due()
    {
        for (std::size_t i = 0; i < endpoints.size(); ++i)
        {
            auto& n = nature_[i];
            if (!n.ready || *n.ready > now)
                continue;
            n.ready.reset();
            auto& e = endpoints[i];
            e.in_flight = false;
            e.finished = now;
            e.failed = n.fails;
            if (!n.fails)
                e.latency = n.latency;
        }
    }

    time_point ask_and_plan()
    {
        ++plans;
        const auto plan = make_plan(endpoints, rhythm, now);
        for (const auto& a : plan.asks)
        {
            auto& e = endpoints[a.endpoint];
            REQUIRE_FALSE(e.in_flight);
            const bool focus = rhythm.fast && std::ranges::count(rhythm.focus, e.member) > 0;
            const auto rest = e.failed ? 4 * rhythm.fast_interval : 4 * e.latency;
            const auto spacing =
                e.failed && !focus ? rhythm.interval : std::min(rest, rhythm.interval);
            REQUIRE((e.finished == time_point{} || now - e.finished >= spacing));
            e.in_flight = true;
            if (a.what == question::word || a.what == question::claim)
            {
                e.word_asked = now;
                e.touched = false;
            }
            if (a.what == question::listing)
                rhythm.listing_asked = e.listing_asked = now;
            if (a.what == question::ttl)
                rhythm.ttl_asked = now;
            nature_[a.endpoint].ready = now + nature_[a.endpoint].latency;
            asks.push_back({a.endpoint, a.what, now});
        }
        auto next = std::max(plan.next, now + 1ms);
        for (const auto& n : nature_)
            if (n.ready)
                next = std::min(next, *n.ready);
        return next;
    }

    std::vector<nature> nature_;
};

} // namespace rolegate::support
