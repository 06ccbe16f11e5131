// SPDX-License-Identifier: PostgreSQL
//
// What an operator may ask for with a POST: which operation, and who may. Pure.
#pragma once

#include "config/places.hpp"
#include "proxy/admin/routes.hpp"
#include "proxy/reload_report.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace rolegate::proxy::admin
{

struct operation
{
    enum class what
    {
        pause,  // hold new clients of a listener at the door
        resume, // let them in again
        reload, // the configuration
    };
    what kind = what::pause;
    std::string listener;
};

// POST /api/v1/listeners/NAME/pause, .../resume, /api/v1/reload. nullopt: the path names no
// operation.
[[nodiscard]] std::optional<operation> find_operation(std::string_view target);

// Why it must not be done; nullopt: it may be. Whoever reaches a port that is bound to this host
// alone is trusted, but not a web page in a browser there, which tells where it is from (`origin`).
[[nodiscard]] std::optional<response>
refuse_operation(std::string_view method, std::string_view origin, const config::host_port& bound);

[[nodiscard]] response done(const operation& o);

// 200 with what has changed, or 422 with everything that is wrong.
[[nodiscard]] response reload_answer(const reload_report& r);

} // namespace rolegate::proxy::admin
