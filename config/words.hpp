// SPDX-License-Identifier: PostgreSQL
//
// Choices of the configuration file as they are written there, for reading and printing alike.
// Pure.
#pragma once

#include "config/settings.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

namespace rolegate::config
{

template <typename T> struct word
{
    const char* text;
    T value;
};

inline constexpr std::array log_level_words{
    word<log_level>{"debug", log_level::debug},
    word<log_level>{"info", log_level::info},
    word<log_level>{"warning", log_level::warning},
    word<log_level>{"error", log_level::error},
};

inline constexpr std::array log_format_words{
    word<log_format>{"text", log_format::text},
    word<log_format>{"json", log_format::json},
};

inline constexpr std::array session_log_words{
    word<session_log>{"all", session_log::all},
    word<session_log>{"errors", session_log::errors},
    word<session_log>{"none", session_log::none},
};

inline constexpr std::array dcs_loss_words{
    word<dcs_loss>{"rest", dcs_loss::rest},
    word<dcs_loss>{"fence", dcs_loss::fence},
};

inline constexpr std::array stale_action_words{
    word<stale_action>{"refuse_new", stale_action::refuse_new},
    word<stale_action>{"shutdown_sessions", stale_action::shutdown_sessions},
};

// What Patroni calls its endpoints; the first word of a value is the one that is printed.
inline constexpr std::array listener_role_words{
    word<listener_role>{"primary", listener_role::primary},
    word<listener_role>{"read-write", listener_role::primary},
    word<listener_role>{"master", listener_role::primary},
    word<listener_role>{"leader", listener_role::leader},
    word<listener_role>{"standby-leader", listener_role::standby_leader},
    word<listener_role>{"replica", listener_role::replica},
    word<listener_role>{"read-only", listener_role::read_only},
    word<listener_role>{"sync", listener_role::sync},
    word<listener_role>{"async", listener_role::async},
    word<listener_role>{"quorum", listener_role::quorum},
    word<listener_role>{"read-only-sync", listener_role::read_only_sync},
    word<listener_role>{"read-only-quorum", listener_role::read_only_quorum},
    word<listener_role>{"any", listener_role::any},
};

inline constexpr std::array balance_words{
    word<balance_algorithm>{"roundrobin", balance_algorithm::roundrobin},
    word<balance_algorithm>{"leastconn", balance_algorithm::leastconn},
    word<balance_algorithm>{"random", balance_algorithm::random},
    word<balance_algorithm>{"first", balance_algorithm::first},
    word<balance_algorithm>{"source", balance_algorithm::source},
};

// HAProxy's spelling, as the other words of member and listener options are.
inline constexpr std::array marked_down_words{
    word<marked_down_action>{"shutdown-sessions", marked_down_action::shutdown_sessions},
    word<marked_down_action>{"drain", marked_down_action::drain},
    word<marked_down_action>{"none", marked_down_action::none},
};

inline constexpr std::array tls_mode_words{
    word<tls_mode>{"passthrough", tls_mode::passthrough},
    word<tls_mode>{"terminate", tls_mode::terminate},
};

// PostgreSQL's spelling (ssl_min_protocol_version).
inline constexpr std::array tls_version_words{
    word<tls_version>{"TLSv1.2", tls_version::tls_1_2},
    word<tls_version>{"TLSv1.3", tls_version::tls_1_3},
};

inline constexpr std::array sslmode_words{
    word<sslmode>{"disable", sslmode::disable},
    word<sslmode>{"allow", sslmode::allow},
    word<sslmode>{"prefer", sslmode::prefer},
    word<sslmode>{"require", sslmode::require},
    word<sslmode>{"verify-ca", sslmode::verify_ca},
    word<sslmode>{"verify-full", sslmode::verify_full},
};

inline constexpr std::array user_rule_words{
    word<user_rule>{"actions", user_rule::actions},
    word<user_rule>{"all", user_rule::all},
};

// Every value has its word in the table.
template <typename T, std::size_t N>
[[nodiscard]] std::string word_of(const std::array<word<T>, N>& words, T value)
{
    return std::ranges::find(words, value, &word<T>::value)->text;
}

} // namespace rolegate::config
