// SPDX-License-Identifier: PostgreSQL
//
// The options of every command that asks a running proxy: where it is, and who asks.
#pragma once

#include "proxy/cli/client.hpp"

#include <CLI/CLI.hpp>

namespace rolegate::proxy::cli
{

// What the environment says (ROLEGATE_ADMIN, ROLEGATE_ADMIN_PASSWORD_FILE) holds where the command
// line says nothing.
void add_admin(CLI::App& command, admin_address& to);

} // namespace rolegate::proxy::cli
