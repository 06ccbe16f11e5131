// SPDX-License-Identifier: PostgreSQL
//
// The REST APIs of one cluster: the seeds, and those that listed members name as their own. Knows
// no socket.
#pragma once

#include "health/evidence.hpp"
#include "health/schedule.hpp"

#include <functional>
#include <string>
#include <vector>

namespace rolegate::health
{

// Where an endpoint is, beside what the schedule knows of it.
struct endpoint_place
{
    std::string host;
    std::uint16_t port = 0;
    bool tls = false;
    bool seed = false; // named by the operator: never forgotten
    std::string error; // of the last request; "" = it was answered
};

// HOST:PORT, with brackets around an IPv6 address.
[[nodiscard]] std::string address_text(const std::string& host, std::uint16_t port);

class endpoint_book
{
public:
    // Seeds and members together; what comes beyond is left out.
    static constexpr std::size_t max_endpoints = 2000;

    // `always_tls`: the operator asked for HTTPS, and no listing may lead back to clear text.
    explicit endpoint_book(bool always_tls) noexcept : always_tls_(always_tls) {}

    void add_seed(const std::string& host, std::uint16_t port, bool tls)
    {
        add(host, port, tls, true);
    }

    // Every listed member's REST API becomes an endpoint; a seed at the same address learns whose
    // it is.
    void adopt(const cluster_listing& listing);

    // Drops endpoints that are no seeds and whose member `gone` says to be forgotten. Returns their
    // addresses.
    std::vector<std::string> forget(const std::function<bool(const std::string& member)>& gone);

    [[nodiscard]] std::vector<rest_endpoint>& all() noexcept { return endpoints_; }

    // nullptr: it has been forgotten. Pointers live until the next add, adopt or forget.
    [[nodiscard]] rest_endpoint* find(const std::string& address) noexcept;
    [[nodiscard]] endpoint_place& place_of(const rest_endpoint& e) noexcept;

private:
    [[nodiscard]] std::size_t index_of(const std::string& address) const;
    std::size_t add(const std::string& host, std::uint16_t port, bool tls, bool seed);

    bool always_tls_;
    std::vector<rest_endpoint> endpoints_;
    std::vector<endpoint_place> places_; // same order
};

} // namespace rolegate::health
