// SPDX-License-Identifier: PostgreSQL
//
// A listen, frontend or backend section in mode tcp, with what it inherits: its lines as values.
// Pure.
#pragma once

#include "config/haproxy/access.hpp"
#include "config/haproxy/bind.hpp"
#include "config/haproxy/check.hpp"
#include "config/haproxy/server.hpp"
#include "config/listener_settings.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rolegate::config::haproxy
{

// More is another file than the one that was meant; bounds what is compared with each other.
inline constexpr std::size_t most_servers = 1000; // of a section
inline constexpr std::size_t most_rules = 1000;   // acl, tcp-request, use_backend: of each

struct said_time
{
    milliseconds value{};
    int number = 0; // of the line
};

struct proxy
{
    std::string kind; // "listen", "frontend", "backend"
    std::string name;
    int number = 0; // of its first line
    std::vector<int> lines;

    // Whom it takes.
    std::vector<bind_line> binds;
    access_rules access;
    std::vector<const line*> use_backends; // with a condition
    std::string default_backend;           // or the first use_backend without a condition
    std::optional<std::size_t> maxconn;

    // Where it leads.
    health_check check;
    balance_algorithm balance = balance_algorithm::roundrobin;
    int balance_number = 0;
    server default_server;
    std::vector<server> servers;
    int refused_servers = 0;
    int all_backups_number = 0; // option allbackups

    std::map<std::string, said_time, std::less<>> timeouts; // "client", "connect", ...
    keepalive_settings keepalive;

    [[nodiscard]] bool is_front() const { return kind != "backend"; }
    [[nodiscard]] bool is_back() const { return kind != "frontend"; }
};

// The effective mode: "tcp", "http", ...
[[nodiscard]] std::string
mode_of(const section& own, const std::vector<const line*>& inherited, ledger& book);

[[nodiscard]] proxy read_proxy(
    const section& own,
    const std::vector<const line*>& inherited,
    const base_paths& base,
    ledger& book
);

} // namespace rolegate::config::haproxy
