// SPDX-License-Identifier: PostgreSQL
//
// Who may come: `acl NAME src ...` and `tcp-request connection`, where they say no more than a list
// of networks does. Pure.
#pragma once

#include "config/haproxy/ledger.hpp"
#include "config/haproxy/section.hpp"
#include "config/places.hpp"

#include <string_view>
#include <vector>

namespace rolegate::config::haproxy
{

struct access_rules
{
    std::vector<const line*> acls;
    std::vector<const line*> rules;
};

// Empty: everybody. Every line is settled; `others` are lines that go by conditions as well and
// were refused. `is_proxied`: a PROXY header names the client, whom the rules do not look at.
[[nodiscard]] std::vector<network> allowed_networks(
    const access_rules& access,
    const std::vector<const line*>& others,
    bool is_proxied,
    ledger& book
);

// All of the rules, and the acls that they name.
void refuse_access(const access_rules& access, std::string_view why, ledger& book);

} // namespace rolegate::config::haproxy
