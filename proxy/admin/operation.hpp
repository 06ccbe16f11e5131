// SPDX-License-Identifier: PostgreSQL
//
// What an operator may ask for with a POST, and how the answer reads. Pure.
#pragma once

#include "health/topology.hpp"
#include "proxy/admin/routes.hpp"
#include "proxy/reload_report.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::proxy::admin
{

struct operation
{
    enum class what
    {
        pause,     // hold new clients of a listener at the door
        resume,    // let them in again
        set_state, // of a member: ready, drain, maint
        kill,      // a session
        reload,    // the configuration
    };
    what kind = what::pause;
    std::string listener;
    std::string cluster;
    std::string member;
    health::operator_state state = health::operator_state::ready;
    std::uint64_t session = 0;
    std::string who; // "" = somebody without a name
};

// POST /api/v1/listeners/NAME/pause and .../resume, /api/v1/members/CLUSTER/MEMBER/state,
// /api/v1/sessions/ID/kill, /api/v1/reload. nullopt: the path names no operation.
[[nodiscard]] std::optional<operation> find_operation(std::string_view target);

// What only the body says: {"state": "drain"}. The answer when it is wrong; nullopt: it is right.
[[nodiscard]] std::optional<response> read_body(operation& o, std::string_view body);

// {"cluster": ..., "member": ..., "state": ..., "warnings": [...]} and the like.
[[nodiscard]] response done(const operation& o, const std::vector<std::string>& warnings = {});

// The session was to end already: this order has done nothing.
[[nodiscard]] response ending_already(const operation& o);

// 409: nobody may change what another process is about to take over.
[[nodiscard]] response upgrade_under_way();

// 200 with what has changed, or 422 with everything that is wrong.
[[nodiscard]] response reload_answer(const reload_report& r);

} // namespace rolegate::proxy::admin
