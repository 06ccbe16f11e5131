// SPDX-License-Identifier: PostgreSQL
//
// Who may ask for what. Pure: who somebody is has been found out before.
#pragma once

#include "config/settings.hpp"
#include "proxy/admin/routes.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace rolegate::proxy::admin
{

// What counts of a request.
struct request_facts
{
    std::string_view method;
    std::string_view target;
    std::string_view host;   // the Host header
    std::string_view origin; // the Origin header: a web page's; "" = no web page
    bool tls = false;        // it came over TLS
    bool from_page = false;  // our own page asks, and has its own way to ask for a password
    std::string_view user;   // "" = nobody, or none was needed
};

// Why the operation must not be done; nullopt: it may be.
//
// With users one of them must ask. Without, whoever reaches a port that is bound to this host alone
// is trusted, but not a web page in a browser there: one of another site names itself as the
// origin, or, when its name was made to lead here, as the host.
[[nodiscard]] std::optional<response>
refuse_operation(const request_facts& r, const config::admin_settings& admin);

// The same for whoever only looks: with `require_user: all` everybody but a probe needs a user.
[[nodiscard]] std::optional<response>
refuse_reading(const request_facts& r, const config::admin_settings& admin);

// 401, with which a browser asks for a password, but for our own page.
[[nodiscard]] response who_are_you(const request_facts& r, const std::string& why);

// Body of /api/v1/user: who asks, and whether operations are for him.
[[nodiscard]] response about_user(const request_facts& r, const config::admin_settings& admin);

} // namespace rolegate::proxy::admin
