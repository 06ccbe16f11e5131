// SPDX-License-Identifier: PostgreSQL
//
// What the operator wrote, as plain values with every default filled in. Names are those of the
// configuration file (config/reference.yaml says what each means). Includes no YAML, Asio or TLS
// type, so that every room may use it.
#pragma once

#include "config/admin_settings.hpp"
#include "config/cluster_settings.hpp"
#include "config/listener_settings.hpp"

namespace rolegate::config
{

enum class log_level
{
    debug,
    info,
    warning,
    error,
};

enum class log_format
{
    text,
    json,
};

// The ends of sessions that are told.
enum class session_log
{
    all,
    errors, // those that did not end as both sides wanted
    none,
};

struct settings
{
    std::vector<cluster_settings> clusters;
    std::vector<listener_settings> listeners;
    admin_settings admin;
    log_level level = log_level::info;       // log.level
    log_format format = log_format::text;    // log.format
    session_log sessions = session_log::all; // log.session_log
    std::optional<unsigned> workers;         // unset: auto, one per CPU
    std::optional<std::size_t> maxconn;   // clients of all listeners; unset: what descriptors allow
    std::size_t buffer_size = 65536;      // of a relay, bytes; an idle session has none
    milliseconds shutdown_timeout{30000}; // SIGTERM to cutting what is left

    friend bool operator==(const settings&, const settings&) = default;
};

} // namespace rolegate::config
