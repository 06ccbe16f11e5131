// SPDX-License-Identifier: PostgreSQL
//
// One line of HAProxy's statistics, and what lines of members and of a BACKEND have alike. Pure.
#pragma once

#include "proxy/admin/haproxy_fields.hpp"
#include "proxy/process_view.hpp"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

namespace rolegate::proxy::admin
{

// HAProxy's number of a kind of row.
enum class row_type
{
    frontend = 0,
    backend = 1,
    server = 2,
};

class row
{
public:
    // `proxy` is the listener's number, from 1.
    row(const listener_view& l, std::string_view name, row_type type, std::size_t proxy);

    void number(std::size_t at, std::uint64_t value) { values_[at] = std::to_string(value); }
    void zero(std::initializer_list<std::size_t> places);
    void milliseconds(std::size_t at, double seconds);
    void seconds(std::size_t at, health::clock::duration d);

    // Names and errors come from outside: they make no columns and no lines.
    void text(std::size_t at, std::string_view value);

    void append_to(std::string& all) const;

private:
    std::array<std::string, haproxy_fields.size()> values_; // "" = it has none
};

[[nodiscard]] std::uint64_t sum(const std::map<std::string, std::uint64_t>& counts);

// Of sessions with one of these termination states.
[[nodiscard]] std::uint64_t
ended_by(const member_stats& s, std::initializer_list<std::string_view> states);

// HAProxy's "internal errors".
[[nodiscard]] std::uint64_t our_faults(const member_stats& s);

void add_traffic(row& r, const member_stats& s, const member_traffic& t, health::time_point now);

// nullptr: nothing is known of it.
void add_service(row& r, const service_record* s, health::time_point now);

} // namespace rolegate::proxy::admin
