// SPDX-License-Identifier: PostgreSQL
//
// `bind` lines. Pure.
#pragma once

#include "config/haproxy/ledger.hpp"
#include "config/haproxy/paths.hpp"
#include "config/haproxy/section.hpp"
#include "config/listener_settings.hpp"

#include <optional>
#include <vector>

namespace rolegate::config::haproxy
{

// What a listener of ours has once: binds that differ in it become several listeners.
struct bind_options
{
    listener_tls tls; // terminate, or what it is by default
    bool accept_proxy = false;
    std::optional<std::size_t> maxconn;
    std::optional<milliseconds> tcp_user_timeout;

    friend bool operator==(const bind_options&, const bind_options&) = default;
};

struct bind_line
{
    int number = 0;
    std::vector<host_port> places; // empty: refused
    bind_options options;
    bool also_ipv4 = false; // "::" takes IPv4 as well
};

[[nodiscard]] bind_line read_bind_line(const line& l, const base_paths& base, ledger& book);

} // namespace rolegate::config::haproxy
