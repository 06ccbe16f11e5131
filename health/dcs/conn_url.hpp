// SPDX-License-Identifier: PostgreSQL
//
// conn_url of a member's key: where its PostgreSQL listens. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rolegate::health::dcs
{

struct conn_url
{
    std::string host; // as text: without brackets, percent-decoded; never ""
    std::uint16_t port = 5432;
    std::string api_url; // application_name of the query, where Patroni once put it; "" = absent
};

// "postgres://10.0.0.1:5432/postgres". Forgiving like Python's urlparse, with which Patroni reads
// it itself: credentials may contain anything. nullopt: another scheme, no host, a port beyond
// 65535.
[[nodiscard]] std::optional<conn_url> parse_conn_url(std::string_view url);

} // namespace rolegate::health::dcs
