// SPDX-License-Identifier: PostgreSQL
//
// How servers of a section are checked: `option httpchk` and the other checks, of which the last
// one holds, `http-check` and `tcp-check`. Pure.
#pragma once

#include "config/haproxy/ledger.hpp"
#include "config/haproxy/section.hpp"

#include <string>
#include <utility>
#include <vector>

namespace rolegate::config::haproxy
{

enum class check_kind
{
    connect,
    http,
    pgsql,
};

struct health_check
{
    check_kind kind = check_kind::connect;
    int number = 0;     // of the option's line; 0 = none
    std::string option; // ... and its words
    std::string method = "OPTIONS";
    std::string uri = "/";
    // From and to; empty: 2xx and 3xx. With `negated` all but these.
    std::vector<std::pair<unsigned, unsigned>> statuses;
    bool negated = false;
    int expect_number = 0;   // of the line that says so
    bool has_header = false; // the request has more than its first line

    std::vector<const line*> http_rules; // `http-check`, judged when it is known whether they hold
    std::vector<const line*> tcp_rules;  // `tcp-check`

    // Whether an answer with that status is a good one.
    [[nodiscard]] bool passes(unsigned status) const;
};

// False: the line is about something else.
[[nodiscard]] bool take_check_line(const line& l, health_check& to, ledger& book);

// When all lines are there.
void settle_check(health_check& check, ledger& book);

} // namespace rolegate::config::haproxy
