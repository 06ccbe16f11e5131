// SPDX-License-Identifier: PostgreSQL
//
// Where a DCS is, in the spellings that Patroni's configuration allows. Pure. No error repeats a
// text that may hold a password.
#pragma once

#include "config/address.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace rolegate::config
{

// etcd's client port.
inline constexpr std::uint16_t etcd_port = 2379;

// "HOST:PORT", or "HOST" alone for the default port; IPv6 in brackets.
[[nodiscard]] parsed_address parse_dcs_host(std::string_view text, std::uint16_t default_port);

// "a:2379, b:2379": the parts without blanks around them; at least one, which may be empty.
[[nodiscard]] std::vector<std::string> split_list(std::string_view text);

struct dcs_url
{
    host_port address;
    bool https = false;
    std::string username; // "" = none in it. Not decoded, as Patroni does not
    std::string password;

    friend bool operator==(const dcs_url&, const dcs_url&) = default;
};

struct parsed_dcs_url
{
    std::optional<dcs_url> value;
    std::string error; // set when `value` is not
};

// "http[s]://[USER:PASSWORD@]HOST[:PORT][/]".
[[nodiscard]] parsed_dcs_url parse_dcs_url(std::string_view text, std::uint16_t default_port);

} // namespace rolegate::config
