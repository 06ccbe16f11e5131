// SPDX-License-Identifier: PostgreSQL
//
// `server`, `default-server` and `server-template` lines. Pure.
#pragma once

#include "config/cluster_settings.hpp"
#include "config/haproxy/ledger.hpp"
#include "config/haproxy/paths.hpp"
#include "config/haproxy/section.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rolegate::config::haproxy
{

struct server
{
    int number = 0; // of its line
    std::string name;
    std::string host;
    std::optional<std::uint16_t> port;
    bool is_template = false; // one name for several

    bool check = false;
    std::string check_host; // "" = its own
    std::optional<std::uint16_t> check_port;
    check_settings pace;
    bool check_tls = false;
    client_tls tls;
    bool shutdown_sessions = false; // on-marked-down
    bool disabled = false;
    std::optional<milliseconds> tcp_user_timeout;
    member_settings options;

    std::map<std::string, int, std::less<>> said; // the line of each word that was given

    [[nodiscard]] host_port check_place() const
    {
        return {
            check_host.empty() ? host : check_host,
            check_port.value_or(port.value_or(std::uint16_t{0}))};
    }
};

// `defaults` is what the lines `default-server` before it have made.
void read_default_server(const line& l, server& defaults, const base_paths& base, ledger& book);

// nullopt: refused.
[[nodiscard]] std::optional<server>
read_server(const line& l, const server& defaults, const base_paths& base, ledger& book);

} // namespace rolegate::config::haproxy
