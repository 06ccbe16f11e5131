// SPDX-License-Identifier: PostgreSQL
//
// The admin HTTP: where it is, and who may use it.
#pragma once

#include "config/places.hpp"

#include <map>
#include <optional>
#include <string>

namespace rolegate::config
{

// What needs one of `users`.
enum class user_rule
{
    actions, // whatever changes something
    all,     // everything but /livez and /readyz
};

struct admin_tls
{
    std::string cert; // PEM files
    std::string key;
    std::string ca; // "" = clients need no certificate

    friend bool operator==(const admin_tls&, const admin_tls&) = default;
};

struct admin_settings
{
    host_port bind{"127.0.0.1", 7000};
    unsigned mode = 0600;                     // of a unix socket: who may connect may operate
    std::map<std::string, std::string> users; // by name: a password, or its hash for crypt(3)
    user_rule require_user = user_rule::actions;
    std::optional<admin_tls> tls; // unset: plain HTTP

    friend bool operator==(const admin_settings&, const admin_settings&) = default;
};

} // namespace rolegate::config
