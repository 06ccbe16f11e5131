// SPDX-License-Identifier: PostgreSQL
//
// Whether a client is one of those that a listener takes, by the parameters of its StartupMessage.
// Pure.
#pragma once

#include "config/listener_settings.hpp"
#include "proxy/pgwire/first_packet.hpp"

#include <vector>

namespace rolegate::proxy
{

// All conditions hold; without any every packet fits, even one that is no StartupMessage. Names and
// words are compared byte by byte. As in PostgreSQL the database is the user's name where the
// client names none; every other parameter must be sent.
[[nodiscard]] bool
fits(const std::vector<config::startup_condition>& match, pgwire::bytes packet) noexcept;

} // namespace rolegate::proxy
